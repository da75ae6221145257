/**
 * What others may do with what we make. Modes are set explicitly, against the umask. Some mounts give everything one owner
 * and one mode and refuse to change either (CIFS with `file_mode=`, many FUSE file systems), others say that they did and
 * did not. So one rule holds for all that is made, lock directories, sessions, lock files and presence records: it is the mode
 * that it *has* which counts, and not what `chmod` answered. What is narrower than meant is used as it is, and what is wider
 * is refused, and removed by its maker ({@link checkMode}).
 */

import { constants, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { inheritedAcl } from './acl.js'
import type { Calls } from './calls.js'
import { systemErrorCode } from './error-code.js'

export const STICKY = 0o1000
export const WRITABLE_FOR_OTHERS = 0o022

/** The mode of what is open, against the umask. `path`: where it was just made. */
export function* giveMode(fd: number, mode: number, path: string): Calls<void> {
  const refusal = yield* changeMode(fd, mode)
  yield* checkMode((yield ['fstat', fd]) as Stats, mode, dirname(path), refusal)
}

const READ_ONLY_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY

/**
 * Lets every user that may use the directory around it use what was just made in the same way, and no other user. The
 * directory's group and its access control list count in that. `path`: where it was made.
 */
export function* shareAsDirectory(fd: number, mode: number, path: string, permit: (permissions: string) => string): Calls<void> {
  const directory = `${dirname(path)}/.`
  const around = (yield ['lstat', directory]) as Stats
  const own = (yield ['fstat', fd]) as Stats
  const isLikeOthers = ((mode >> 3) & 0o007) === (mode & 0o007)
  const isOfGroup = own.gid === around.gid || (!isLikeOthers && (yield* changeGroup(fd, around.gid)))
  const list = mayHaveAcl(around.mode) ? yield* readAcl(directory) : null
  const owners = { uid: own.uid, gid: isOfGroup ? around.gid : own.gid, around }
  const inherited = list === null ? null : inheritedAcl(list, owners, permit)
  // Another group gets what all users get.
  if (inherited === null) return yield* giveMode(fd, isOfGroup ? mode : (mode & ~0o070) | ((mode & 0o007) << 3), path)
  // First for its owner alone: in a list the bits of the group are those of its mask.
  yield* giveMode(fd, mode & ~0o077, path)
  yield ['setAcl', fd, inherited]
}

/** A list shows in the bits of the group: what they grant differs from what others get, or is more than to look. */
function mayHaveAcl(mode: number): boolean {
  const group = (mode >> 3) & 0o007
  return (group & 0o002) !== 0 || (group !== 0 && group !== (mode & 0o007))
}

function* changeGroup(fd: number, gid: number): Calls<boolean> {
  try {
    yield ['fchown', fd, -1, gid]
    return true
  } catch (error) {
    if (systemErrorCode(error) === null) throw error
    return false
  }
}

function* readAcl(directory: string): Calls<string | null> {
  let fd: number
  try {
    fd = (yield ['open', directory, READ_ONLY_DIRECTORY, 0]) as number
  } catch (error) {
    if (systemErrorCode(error) === null) throw error
    return null // it may be written to, and not read
  }
  try {
    return (yield ['getAcl', fd]) as string | null
  } finally {
    yield ['close', fd]
  }
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
 * Never silently wider: what is made may be used as it was meant to be, or by less, or (where the mount decides) by users
 * that may use the directory around it in the same way. `directory`: the path of that one.
 */
export function* checkMode(status: Stats, mode: number, directory: string, refusal: unknown): Calls<void> {
  if (added(status.mode, mode) === 0) return
  const around = (yield ['lstat', `${directory}/.`]) as Stats
  if (added(status.mode, mode | grantedAround(around, status.gid)) === 0 && (around.mode & STICKY) === 0) return
  throw tooWide(status.mode, mode, refusal)
}

/** What the directory grants, in the bits of a file of that group: another group than its own gets what all users get. */
function grantedAround({ mode, gid }: Stats, groupOfFile: number): number {
  return gid === groupOfFile ? mode : (mode & ~0o070) | ((mode & 0o007) << 3)
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
