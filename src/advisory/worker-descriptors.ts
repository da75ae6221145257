/**
 * How a worker thread closes a lock file. Closing any descriptor of a file drops the fcntl lock that this process has on it,
 * and a worker does not know what the main thread has locked. But the main thread holds flock whenever it takes fcntl as well
 * (`both.ts`). So a worker closes a descriptor only while it holds an exclusive flock through it: the kernel drops fcntl
 * locks first, and flock with the last reference, so that no lock of the main thread comes in between. What cannot be closed
 * now is kept, used for the next attempt at that file, and looked at again after a while.
 *
 * Not covered: a main thread that takes fcntl alone at that very moment, and a worker that ends, whose descriptors Node
 * closes. The holder finds out at its next look.
 */

import { closeSync } from 'node:fs'
import { clearInterval, setInterval } from '../drivers/clock.js'
import { isLocked } from '../drivers/fdinfo.js'
import type { FsExt } from './fs-ext.js'
import { tryFlockNow, unlockNow } from './flock-calls.js'
import type { Access, LockFile } from './lock-file.js'

/** Chosen: a descriptor that waits a second costs nothing. */
const LOOK_MS = 1000

const kept = new Map<string, LockFile>()
let timer: NodeJS.Timeout | undefined

const keyOf = (identity: string, access: Access) => `${access} ${identity}`

export const isAnyKept = (): boolean => kept.size > 0

/** A descriptor of that file; `null`: none is kept. It is the caller's from now on. */
export function takeKept(identity: string, access: Access): LockFile | null {
  const key = keyOf(identity, access)
  const file = kept.get(key) ?? null
  if (file !== null) forget(key)
  return file
}

export function closeInWorker(fsExt: FsExt, file: LockFile): void {
  if (mayClose(fsExt, file)) return closeSync(file.fd)
  unlockNow(fsExt, file.fd)
  let key = keyOf(file.identity, file.writable ? 'writing' : 'reading')
  while (kept.has(key)) key += ' ' // another attempt at the same file is under way: this one waits for its end only
  kept.set(key, file)
  timer ??= setInterval(() => closeWhatMayBe(fsExt), LOOK_MS).unref()
}

/** Takes an exclusive flock through it, which ends with the descriptor. */
function mayClose(fsExt: FsExt, { fd }: LockFile): boolean {
  if (isLocked(fd)) return false
  try {
    return tryFlockNow(fsExt, fd, false)
  } catch {
    return true // flock is a lock of the server here (NFSv4), which excludes fcntl: no lock of this process is behind it
  }
}

function closeWhatMayBe(fsExt: FsExt): void {
  for (const [key, file] of [...kept]) {
    if (!mayClose(fsExt, file)) continue
    forget(key)
    try {
      closeSync(file.fd)
    } catch {
      // Nothing was locked through it, so an error of its close means nothing to any caller.
    }
  }
}

function forget(key: string): void {
  kept.delete(key)
  if (kept.size > 0) return
  clearInterval(timer)
  timer = undefined
}
