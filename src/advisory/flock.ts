/** `flock`: the lock belongs to the open file description, so it excludes within one process as well as between two. */

import { isMainThread } from 'node:worker_threads'
import type { Lane } from '../drivers/lane.js'
import type { LostReason } from '../errors.js'
import { type Call, make, type Program, runInLane, runNow } from './calls.js'
import { type FsExt, loadFsExt } from './fs-ext.js'
import {
  type Access,
  codeOf,
  identityOf,
  isInPlace,
  type LockFile,
  lockError,
  lossShownByServer,
  lstatCall,
  type OpenOptions,
  openLockFile,
} from './lock-file.js'
import { flockOperation, refusedBy, unlockNow } from './flock-calls.js'
import { closeOrPark, closeOrParkSync } from './process-registry.js'
import { closeInWorker, isAnyKept, takeKept } from './worker-descriptors.js'

/**
 * Servers that make a byte-range lock of it (NFSv4) want an exclusive one through a descriptor that can write: errors
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
  const file = (yield* keptFile(path, access)) ?? (yield* openLockFile(path, access, options))
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

/** One that this worker thread could not close so far, of the file that is at the path now. */
function* keptFile(path: string, access: Access): Program<LockFile | null> {
  if (!isAnyKept()) return null
  try {
    return takeKept(identityOf(yield* make(lstatCall(path))), access)
  } catch {
    return null // opening it tells
  }
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
  readonly mayEndUnnoticed: boolean
  readonly #lane: Lane
  /** `null` once a caller has begun to release. */
  #file: LockFile | null
  #released: Promise<void> | undefined
  readonly #isQuick: boolean

  /** `isQuick`: giving it back waits for nothing. */
  constructor(path: string, file: LockFile, lane: Lane, isQuick = false) {
    this.path = path
    this.dev = file.dev
    this.ino = file.ino
    this.identity = file.identity
    this.isExecutable = file.isExecutable
    this.mayEndUnnoticed = file.asksServer
    this.#lane = lane
    this.#file = file
    this.#isQuick = isQuick
  }

  release(): Promise<void> {
    this.#released ??= this.#giveBack()
    return this.#released
  }

  releaseSync(): void {
    const file = this.#takeFile()
    if (file === null) return
    try {
      giveUpNow(file, this.#lane)
    } catch (error) {
      throw lockError(this.path, error, 'flock')
    }
  }

  async #giveBack(): Promise<void> {
    if (this.#isQuick) return this.releaseSync()
    try {
      await this.#lane.run<void>((done) => {
        const file = this.#takeFile()
        if (file === null) done(null)
        else giveUp(file, this.#lane, done)
      })
    } catch (error) {
      throw lockError(this.path, error, 'flock')
    }
  }

  look(): Promise<LostReason | null> {
    return runInLane(this.#look(), this.#lane)
  }

  lookSync(): LostReason | null {
    return runNow(this.#look())
  }

  /** A local kernel keeps it for as long as the descriptor is open. */
  *#look(): Program<LostReason | null> {
    if (this.#file === null || !this.mayEndUnnoticed) return null
    return yield* lossShownByServer(this.#file.fd)
  }

  #takeFile(): LockFile | null {
    const file = this.#file
    this.#file = null
    return file
  }
}

function* tryFlock(fsExt: FsExt, { fd }: LockFile, shared: boolean): Program<boolean> {
  try {
    yield* make(flockCall(fsExt, fd, shared))
    return true
  } catch (error) {
    return refusedBy(error)
  }
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
    now: () => giveUpNow(file, lane),
    start: (done) => giveUp(file, lane, done),
  })
}

/**
 * Unlocks and closes. Closing alone is not enough where the descriptor is parked, nor for a child process between its
 * fork and its exec, which still has the descriptor and would keep the lock. An error of unlocking means nothing:
 * closing follows.
 */
function giveUp(file: LockFile, lane: Lane, done: (error: Error | null) => void): void {
  const fsExt = loadFsExt()
  const { fd, identity } = file
  if (isMainThread) {
    fsExt.flock(fd, fsExt.constants.LOCK_UN, () => closeOrPark(identity, fd, lane, done))
  } else {
    done(errorOf(() => closeInWorker(fsExt, file)))
  }
}

function errorOf(work: () => void): Error | null {
  try {
    work()
    return null
  } catch (error) {
    return error as Error
  }
}

export function giveUpNow(file: LockFile, lane: Lane): void {
  const fsExt = loadFsExt()
  if (!isMainThread) return closeInWorker(fsExt, file)
  unlockNow(fsExt, file.fd)
  closeOrParkSync(file.identity, file.fd, lane)
}
