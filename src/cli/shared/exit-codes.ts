/** The exit codes of every command, after sysexits.h. docs/cli.md says what they mean. */

export const EXIT = {
  /** It was done; for the test: every lock was acquired, or properly refused because another process holds it. */
  ok: 0,
  usage: 64,
  cannotLock: 69,
  internal: 70,
  /** What standard output leads to cannot be written. */
  notWritten: 73,
  lost: 74,
  busy: 75,
  notSafe: 76,
  configuration: 78,
  /** `run --workbench`: a session came while the command ran, which the locks do not keep out. */
  sessionCame: 79,
  notExecutable: 126,
  notFound: 127,
} as const
