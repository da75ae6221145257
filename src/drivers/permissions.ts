/**
 * What others may do with what we make. Modes are set explicitly, against the umask. Some mounts give everything one owner
 * and one mode and refuse to change either (CIFS with `file_mode=`, many FUSE file systems), others say that they did and
 * did not: so it is the mode that a file *has* which counts, and not what `chmod` answered.
 */

import type { Stats } from 'node:fs'
import { dirname } from 'node:path'
import type { Calls } from './calls.js'
import { systemErrorCode } from './error-code.js'

const STICKY = 0o1000
const WRITABLE_FOR_OTHERS = 0o022

/** The mode of what is open, against the umask. `path`: where it was just made. */
export function* giveMode(fd: number, mode: number, path: string): Calls<void> {
  const refusal = yield* changeMode(fd, mode)
  yield* checkMode((yield ['fstat', fd]) as Stats, mode, dirname(path), refusal)
}

/** The refusal, or `null`. It means nothing yet: see {@link checkMode}. */
export function* changeMode(fd: number, mode: number): Calls<unknown> {
  try {
    yield ['fchmod', fd, mode]
    return null
  } catch (error) {
    if (systemErrorCode(error) === null) throw error
    return error
  }
}

/**
 * Never silently wider: what is made may be used as it was meant to be, or by less, or (where the mount decides) by those who
 * may use the directory around it in the same way. `directory`: the path of that one.
 */
export function* checkMode(status: Stats, mode: number, directory: string, refusal: unknown): Calls<void> {
  if (added(status.mode, mode) === 0) return
  const around = (yield ['lstat', `${directory}/.`]) as Stats
  if (added(status.mode, mode | around.mode) === 0 && (around.mode & STICKY) === 0) return
  throw tooWide(status.mode, mode, refusal)
}

/** The bits that let others do more than they should; without the sticky bit they may remove what is not theirs. */
function added(has: number, wanted: number): number {
  const isUnstuck = (wanted & STICKY) !== 0 && (has & STICKY) === 0 && (has & WRITABLE_FOR_OTHERS) !== 0
  return (has & ~wanted & 0o777) | (isUnstuck ? STICKY : 0)
}

function tooWide(has: number, wanted: number, cause: unknown): NodeJS.ErrnoException {
  const [seen, meant] = [has & 0o1777, wanted & 0o1777].map((mode) => mode.toString(8).padStart(4, '0'))
  return Object.assign(new Error(`mode ${seen} instead of ${meant}: more than the directory grants`, { cause }), {
    code: 'EPERM',
  })
}
