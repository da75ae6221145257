/**
 * flock with blocking calls, where each system call counts: on a file that was checked before, an attempt costs `open`,
 * `flock` and one `fstat`.
 *
 * Why that is enough: one `lstat` saw that the path leads to this inode, with this change time. Removing or renaming the
 * inode would have changed that time, so while it is as it was, the path leads to it still. Only on plain local file
 * systems, where this machine's clock stamps the changes, and only for a change time so old that a later change cannot
 * have fallen into the same tick.
 */

import { fstatSync, lstatSync, openSync, type Stats, statfsSync } from 'node:fs'
import type { Lane } from '../drivers/lane.js'
import { runNow } from './calls.js'
import { isPlainLocal } from './file-systems.js'
import { attemptFlock, FlockHold, giveUpNow, tryFlockNow } from './flock.js'
import { type FsExt, loadFsExt } from './fs-ext.js'
import { identityOf, type OpenOptions, READ_WRITE } from './lock-file.js'

interface Checked {
  readonly identity: string
  readonly dev: number
  readonly ino: number
  readonly ctimeMs: number
}

/** Far above the coarsest tick of a kernel's clock (10 ms). */
const CHANGE_AGE_MS_MIN = 1000
const CHECKED_FILES_MAX = 1000
const checkedFiles = new Map<string, Checked>()

/** One attempt; `replaced` if the path no longer led to the file that was locked. */
export function attemptFlockSync(path: string, options: OpenOptions, lane: Lane): FlockHold | 'busy' | 'replaced' {
  const checked = checkedFiles.get(path)
  const quick = checked && attemptQuickly(path, options.shared, lane, checked)
  if (quick) return quick
  const outcome = runNow(attemptFlock(path, options, lane))
  if (outcome instanceof FlockHold) remember(outcome)
  return outcome
}

/** `undefined` when anything is not as expected: the full attempt then finds out, and says, what it is. */
function attemptQuickly(path: string, shared: boolean, lane: Lane, checked: Checked): FlockHold | 'busy' | undefined {
  const fsExt = loadFsExt()
  let fd: number
  try {
    fd = openSync(path, READ_WRITE)
  } catch {
    return undefined
  }
  const outcome = lockQuickly(fsExt, fd, shared)
  const asChecked = isAsChecked(fstatSync(fd), checked)
  const { dev, ino } = checked
  const identity = asChecked ? checked.identity : identityOf(fstatSync(fd, { bigint: true }))
  if (asChecked && outcome === 'locked') return new FlockHold(path, { fd, dev, ino, identity, writable: true }, fsExt, lane)
  giveUpNow(fsExt, identity, fd, lane)
  if (asChecked && outcome === 'busy') return 'busy'
  checkedFiles.delete(path)
  return undefined
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

function remember({ path, dev, ino, identity }: FlockHold): void {
  try {
    const there = lstatSync(path)
    const settled = there.isFile() && Date.now() - there.ctimeMs > CHANGE_AGE_MS_MIN
    if (!settled || there.ino !== ino || there.dev !== dev || !isPlainLocal(statfsSync(path).type)) return
    if (checkedFiles.size >= CHECKED_FILES_MAX) checkedFiles.clear()
    checkedFiles.set(path, { identity, dev, ino, ctimeMs: there.ctimeMs })
  } catch {
    // The lock is ours all the same: the next attempt takes the full road again.
  }
}
