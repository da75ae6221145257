/** The calls of flock, which never wait: one that did would sit in libuv's pool. */

import { codeOf } from './lock-file.js'
import type { FsExt } from './fs-ext.js'

export function flockOperation({ constants: { LOCK_SH, LOCK_EX, LOCK_NB } }: FsExt, shared: boolean): number {
  return (shared ? LOCK_SH : LOCK_EX) | LOCK_NB
}

/** @returns `false` when another holder has it */
export function tryFlockNow(fsExt: FsExt, fd: number, shared: boolean): boolean {
  try {
    fsExt.flockSync(fd, flockOperation(fsExt, shared))
    return true
  } catch (error) {
    return refusedBy(error)
  }
}

export function refusedBy(error: unknown): false {
  if (codeOf(error) === 'EAGAIN' || codeOf(error) === 'EWOULDBLOCK') return false
  throw error
}

/** An error of unlocking means nothing: closing follows. */
export function unlockNow(fsExt: FsExt, fd: number): void {
  try {
    fsExt.flockSync(fd, fsExt.constants.LOCK_UN)
  } catch {}
}
