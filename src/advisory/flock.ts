/** `flock`: the lock belongs to the open file description, so it excludes within one process as well as between two. */

import { isMainThread } from 'node:worker_threads'
import type { Lane } from '../drivers/lane.js'
import { isSmb } from '../advice/file-systems.js'
import { mountsOfDevice } from '../drivers/mount-info.js'
import { type Call, make, type Program } from './calls.js'
import { type FsExt, loadFsExt } from './fs-ext.js'
import {
  type Access,
  codeOf,
  isInPlace,
  type LockFile,
  lockError,
  type OpenOptions,
  openLockFile,
  readPastCache,
} from './lock-file.js'
import { closeOrPark, closeOrParkSync } from './process-registry.js'

/**
 * Servers that make a byte-range lock of it (NFSv4, SMB) want an exclusive one through a descriptor that can write: errors
 * that say so.
 */
const WANTS_WRITING = new Set(['EBADF', 'EIO'])

/** One attempt; `replaced` if the path no longer led to the file that was locked. */
export function* takeFlock(path: string, options: OpenOptions, lane: Lane): Program<FlockHold | 'busy' | 'replaced'> {
  // NFSv4, where locks are leased, is known for that.
  if (options.pastCache === true && !options.shared) return yield* takeFlockThrough('writing', path, options, lane)
  try {
    return yield* takeFlockThrough('reading', path, options, lane)
  } catch (error) {
    if (options.shared || !WANTS_WRITING.has(codeOf(error))) throw error
  }
  return yield* takeFlockThrough('writing', path, options, lane)
}

function* takeFlockThrough(
  access: Access,
  path: string,
  options: OpenOptions,
  lane: Lane,
): Program<FlockHold | 'busy' | 'replaced'> {
  const fsExt = loadFsExt()
  const file = yield* openLockFile(path, access, options)
  let locked = false
  try {
    locked = yield* tryFlock(fsExt, file, options.shared)
    if (locked && (yield* isInPlace(path, file, lane, options.refusalOf))) return new FlockHold(path, file, lane)
  } catch (error) {
    yield* discard(file, lane)
    throw error
  }
  yield* discard(file, lane)
  return locked ? 'replaced' : 'busy'
}

/**
 * Is a lock free for the taking? Takes it for a moment on a description of its own, which may cost another process an
 * attempt. `unknown` where only a shared one can be tried, which does not notice shared holders.
 */
export function* testFlock(file: LockFile, lane: Lane): Program<'free' | 'held' | 'unknown'> {
  const fsExt = loadFsExt()
  try {
    return (yield* tryFlock(fsExt, file, false)) ? 'free' : 'held'
  } catch (error) {
    if (file.writable || !WANTS_WRITING.has(codeOf(error))) throw error
    return (yield* tryFlock(fsExt, file, true)) ? 'unknown' : 'held'
  } finally {
    yield* discard(file, lane)
  }
}

export class FlockHold {
  readonly path: string
  readonly dev: number
  readonly ino: number
  readonly identity: string
  readonly isExecutable: boolean
  readonly #lane: Lane
  /** `null` once a caller has begun to release. */
  #fd: number | null
  #released: Promise<void> | undefined
  readonly #isQuick: boolean

  /** `isQuick`: giving it back waits for nothing. */
  constructor(path: string, file: LockFile, lane: Lane, isQuick = false) {
    this.path = path
    this.dev = file.dev
    this.ino = file.ino
    this.identity = file.identity
    this.isExecutable = file.isExecutable
    this.#lane = lane
    this.#fd = file.fd
    this.#isQuick = isQuick
  }

  release(): Promise<void> {
    this.#released ??= this.#giveBack()
    return this.#released
  }

  releaseSync(): void {
    const fd = this.#takeDescriptor()
    if (fd === null) return
    try {
      giveUpNow(this.identity, fd, this.#lane)
    } catch (error) {
      throw lockError(this.path, error, 'flock')
    }
  }

  async #giveBack(): Promise<void> {
    if (this.#isQuick) return this.releaseSync()
    try {
      await this.#lane.run<void>((done) => {
        const fd = this.#takeDescriptor()
        if (fd === null) done(null)
        else giveUp(this.identity, fd, this.#lane, done)
      })
    } catch (error) {
      throw lockError(this.path, error, 'flock')
    }
  }

  look(): Promise<void> {
    return this.#lane.run<void>((done) => (this.#fd === null ? done(null) : readPastCache(this.#fd, done)))
  }

  #takeDescriptor(): number | null {
    const fd = this.#fd
    this.#fd = null
    return fd
  }
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

function* tryFlock(fsExt: FsExt, { fd, dev }: LockFile, shared: boolean): Program<boolean> {
  try {
    yield* make(flockCall(fsExt, fd, shared))
    return true
  } catch (error) {
    if (codeOf(error) === 'EACCES' && isOnSmb(dev)) return false
    return refusedBy(error)
  }
}

function refusedBy(error: unknown): false {
  if (codeOf(error) === 'EAGAIN' || codeOf(error) === 'EWOULDBLOCK') return false
  throw error
}

/**
 * There a flock is a byte range of SMB, and of one that is held the server says STATUS_LOCK_NOT_GRANTED, which Linux translates
 * as `EACCES`. The file is open by then, so permission is not what is missing.
 */
function isOnSmb(dev: number): boolean {
  const mount = mountsOfDevice(dev).at(-1)
  return mount !== undefined && isSmb(mount)
}

/** Never without LOCK_NB: a flock that waits would sit in libuv's pool. */
function flockOperation({ constants: { LOCK_SH, LOCK_EX, LOCK_NB } }: FsExt, shared: boolean): number {
  return (shared ? LOCK_SH : LOCK_EX) | LOCK_NB
}

function flockCall(fsExt: FsExt, fd: number, shared: boolean): Call<void> {
  const operation = flockOperation(fsExt, shared)
  const now = () => fsExt.flockSync(fd, operation)
  return {
    now,
    start: (done) => {
      if (isMainThread) {
        fsExt.flock(fd, operation, done)
      } else {
        now()
        done(null)
      }
    },
  }
}

function* discard(file: LockFile, lane: Lane): Program<void> {
  yield* make({
    now: () => giveUpNow(file.identity, file.fd, lane),
    start: (done) => giveUp(file.identity, file.fd, lane, done),
  })
}

/**
 * Unlocks and closes. Closing alone is not enough where the descriptor is parked, nor for a child process between its
 * fork and its exec, which still has the descriptor and would keep the lock. An error of unlocking means nothing:
 * closing follows.
 */
function giveUp(identity: string, fd: number, lane: Lane, done: (error: Error | null) => void): void {
  const fsExt = loadFsExt()
  const then = () => closeOrPark(identity, fd, lane, done)
  if (isMainThread) {
    fsExt.flock(fd, fsExt.constants.LOCK_UN, then)
  } else {
    unlockNow(fd)
    then()
  }
}

export function giveUpNow(identity: string, fd: number, lane: Lane): void {
  unlockNow(fd)
  closeOrParkSync(identity, fd, lane)
}

function unlockNow(fd: number): void {
  const fsExt = loadFsExt()
  try {
    fsExt.flockSync(fd, fsExt.constants.LOCK_UN)
  } catch {}
}
