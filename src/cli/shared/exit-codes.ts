/** The exit codes of every command, after sysexits.h. The one table: the help prints it, the tests drive it. */

export const EXIT = {
  /** It was done; for the test: every lock was acquired, or properly refused because another process holds it. */
  ok: 0,
  usage: 64,
  cannotLock: 69,
  internal: 70,
  lost: 74,
  busy: 75,
  notSafe: 76,
  configuration: 78,
  notExecutable: 126,
  notFound: 127,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_TABLE: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.ok, 'done; for the test: every lock was acquired, or excluded by another process'],
  [EXIT.usage, 'wrong arguments, or what they name is not there'],
  [EXIT.cannotLock, 'a lock failed with an error, or was lost while held'],
  [EXIT.internal, 'a defect of this program'],
  [EXIT.lost, 'the lock was lost, and the command therefore terminated (run)'],
  [EXIT.busy, 'somebody else holds the lock (run: or what --conflict-exit-code says)'],
  [EXIT.notSafe, 'not safe: two held one lock at the same time, or would (doctor)'],
  [EXIT.configuration, 'the configuration file has errors'],
  [EXIT.notExecutable, 'the command cannot be executed (run)'],
  [EXIT.notFound, 'there is no such command (run), or no locktester on a node (nodes)'],
]

/** The lines of the table, of those codes only when they are named. */
export function exitCodeLines(codes?: readonly ExitCode[]): string {
  const rows = EXIT_TABLE.filter(([code]) => codes === undefined || codes.includes(code))
  return rows.map(([code, meaning]) => `  ${String(code).padEnd(4)}${meaning}`).join('\n')
}
