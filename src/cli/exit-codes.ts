/** The exit codes of every command, after sysexits.h. The one table: the help prints it, the tests drive it. */

export const EXIT = {
  /** Every lock under test was acquired, or properly refused because another process holds it. */
  ok: 0,
  usage: 64,
  cannotLock: 69,
  internal: 70,
  notSafe: 76,
  configuration: 78,
} as const

export const EXIT_TABLE: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'every lock was acquired, or excluded by another process as it should be; also after Ctrl+C while holding'],
  [EXIT.usage, 'wrong arguments, or DIR is not a directory'],
  [EXIT.cannotLock, 'cannot lock here: a lock failed with an error (the reason is on standard error), or was lost while held'],
  [EXIT.internal, 'a defect of this program'],
  [EXIT.notSafe, 'not safe: two running instances acquired the same lock'],
  [EXIT.configuration, 'the configuration file has errors'],
]
