/**
 * flock where each system call counts: on a file that was checked before, an attempt costs `open`, `flock` and one `fstat`,
 * and none of them waits for anything, so asynchronous callers need no thread for it either.
 *
 * Why that is enough: one `lstat` saw that the path leads to this inode, with this change time. Removing or renaming the
 * inode would have changed that time, so while it is as it was, the path leads to it still. Only on plain local file
 * systems, where this machine's clock stamps the changes, and only for a change time so old that a later change cannot
 * have fallen into the same tick.
 */

import { fstatSync, lstatSync, openSync, type Stats } from 'node:fs'
import { wallClockMs } from '../drivers/clock.js'
import type { Lane } from '../drivers/lane.js'
import { FlockHold, giveUpNow } from './flock.js'
import { tryFlockNow, unlockNow } from './flock-calls.js'
import { isAnyKept } from './worker-descriptors.js'
import { type FsExt, loadFsExt } from './fs-ext.js'
import { identityOf, isExecutable, READ_ONLY, WRITTEN_BYTES_MAX } from './lock-file.js'

interface Checked {
  readonly identity: string
  readonly dev: number
  readonly ino: number
  readonly ctimeMs: number
}

/** Far above the coarsest tick of a kernel's clock (10 ms). */
const CHANGE_AGE_MS_MIN = 100
const CHECKED_FILES_MAX = 1000
const checkedFiles = new Map<string, Checked>()

/** `undefined` when anything is not as expected: the full attempt then finds out, and says, what it is. */
export function takeFlockQuickly(path: string, shared: boolean, lane: Lane): FlockHold | 'busy' | undefined {
  const checked = checkedFiles.get(path)
  if (checked === undefined || isAnyKept()) return undefined
  const fsExt = loadFsExt()
  let fd: number
  try {
    fd = openSync(path, READ_ONLY)
  } catch {
    return undefined
  }
  const outcome = lockQuickly(fsExt, fd, shared)
  const seen = lookQuickly(fd, checked)
  if (seen === null) {
    // It stays open for good: closing it could drop an fcntl lock that this process holds on that inode.
    unlockNow(fsExt, fd)
    checkedFiles.delete(path)
    return undefined
  }
  const { there, asChecked, identity } = seen
  const { dev, ino } = checked
  const file = { fd, dev, ino, identity, writable: false, isExecutable: isExecutable(there.mode), asksServer: false }
  if (asChecked && outcome === 'locked') return new FlockHold(path, file, lane, true)
  giveUpNow(file, lane)
  if (asChecked && outcome === 'busy') return 'busy'
  checkedFiles.delete(path)
  return undefined
}

/** `null`: the file system does not tell. */
function lookQuickly(fd: number, checked: Checked) {
  try {
    const there = fstatSync(fd)
    const asChecked = isAsChecked(there, checked)
    return { there, asChecked, identity: asChecked ? checked.identity : identityOf(fstatSync(fd, { bigint: true })) }
  } catch {
    return null
  }
}

function lockQuickly(fsExt: FsExt, fd: number, shared: boolean): 'locked' | 'busy' | 'failed' {
  try {
    return tryFlockNow(fsExt, fd, shared) ? 'locked' : 'busy'
  } catch {
    return 'failed'
  }
}

function isAsChecked(there: Stats, checked: Checked): boolean {
  return there.ino === checked.ino && there.dev === checked.dev && there.ctimeMs === checked.ctimeMs
}

/**
 * Checks a file that a full attempt has just been made on, and that is in the kernel's memory therefore. `device`: of
 * its directory.
 */
export function check(path: string, device: number): void {
  try {
    const there = lstatSync(path)
    const { dev, ino, ctimeMs } = there
    // What stands in it may have to be looked at each time.
    if (there.size > 0 && there.size <= WRITTEN_BYTES_MAX) return
    if (!there.isFile() || dev !== device || wallClockMs() - ctimeMs < CHANGE_AGE_MS_MIN) return
    const exactly = lstatSync(path, { bigint: true })
    if (Number(exactly.ino) !== ino || Number(exactly.dev) !== dev) return
    if (checkedFiles.size >= CHECKED_FILES_MAX) checkedFiles.clear()
    checkedFiles.set(path, { identity: identityOf(exactly), dev, ino, ctimeMs })
  } catch {
    // The next attempt takes the full road again.
  }
}
