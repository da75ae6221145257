/** `fcntl`: the lock belongs to the process, so what happens within one process is decided by the registry, not by the kernel. */

import { realpath } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import type { Lane } from '../drivers/lane.js'
import { isLocked } from '../drivers/fdinfo.js'
import { type LostReason, UnsupportedPlatformError } from '../errors.js'
import { runInLane, runNow } from './calls.js'
import { type FsExt, loadFsExt } from './fs-ext.js'
import {
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
import { addEntry, type Entry, findEntry, finishEntrySync, leaveEntry, leaveEntrySync, park, visit } from './process-registry.js'

export function refuseFcntlSync(path: string): never {
  throw new UnsupportedPlatformError(
    'fs-ext cannot take an fcntl lock with a blocking call',
    "Use the asynchronous acquire, or advisoryKind 'flock'.",
    path,
  )
}

export function refuseFcntlInWorker(path: string): void {
  if (isMainThread) return
  throw new UnsupportedPlatformError(
    'fs-ext cannot take an fcntl lock in a worker thread',
    "Acquire it in the main thread, or use advisoryKind 'flock'.",
    path,
  )
}

/** One attempt; `replaced` if the path no longer led to the file that was locked. */
export async function takeFcntl(path: string, options: OpenOptions, lane: Lane): Promise<FcntlHold | 'busy' | 'replaced'> {
  refuseFcntlInWorker(path)
  const { shared } = options
  const fsExt = loadFsExt()
  const realPath = await realPathOf(path, lane)
  // Before opening: whatever is opened must be closed, and closing drops the lock that this process may hold.
  const before = answerFromRegistry({ path, realPath, identity: await identityAt(path, lane) }, shared, lane)
  if (before) return before
  // The kernel grants a write lock to a descriptor that can write only, whatever the file system (flock is not so strict).
  const file = await runInLane(openLockFile(path, shared ? 'reading' : 'writing', options), lane)
  const endVisit = await visit(file.identity)
  try {
    const meanwhile = answerFromRegistry({ path, realPath, identity: file.identity }, shared, lane)
    if (!meanwhile) return await lockWhileVisiting(fsExt, { ...options, path, realPath, file, lane })
    park(file.identity, file.fd, lane)
    return meanwhile
  } finally {
    await endVisit()
  }
}

/**
 * Is the whole file free of fcntl locks, of this process too? Takes one for a moment. Closes the file. `unknown` as
 * {@link testFlock}.
 */
export async function testFcntl(file: LockFile, lane: Lane): Promise<'free' | 'held' | 'unknown'> {
  const endVisit = await visit(file.identity)
  try {
    // Parked in any case: closed at the end of the visit, or with the entry that holds the inode.
    park(file.identity, file.fd, lane)
    if (findEntry(file.identity, null)) return 'held'
    if (!(await trySetLock(loadFsExt(), file.fd, !file.writable, lane))) return 'held'
    return file.writable ? 'free' : 'unknown'
  } finally {
    await endVisit()
  }
}

/** The lock of this process on what the path leads to. */
export async function findFcntlEntry(path: string, lane: Lane): Promise<Entry | undefined> {
  return findEntry(await identityAt(path, lane), await realPathOf(path, lane))
}

/**
 * Locks a file that the caller has just made and keeps open. From now on nothing of ours in this process closes another
 * descriptor of it. @returns to be called once the caller has closed it
 */
export async function lockKept(
  realPath: string,
  { file, dev, ino }: { file: number; dev: number; ino: number },
  lane: Lane,
): Promise<() => Promise<void>> {
  const identity = `${dev}:${ino}`
  const endVisit = await visit(identity)
  try {
    if (!(await trySetLock(loadFsExt(), file, false, lane))) throw new Error('another process holds an fcntl lock on it')
    const entry: Entry = { identity, realPath, dev, ino, shared: false, holders: 1, fd: null }
    addEntry(entry)
    return () => leaveEntry(entry, lane)
  } finally {
    await endVisit()
  }
}

/**
 * Locks a file that the caller has opened for reading, and that is closed here when it is over: no process can lock it for
 * writing as long. `busy`: one has. @returns to be called in the end
 */
export async function lockOpened(
  realPath: string,
  { file, dev, ino }: { file: number; dev: number; ino: number },
  lane: Lane,
): Promise<(() => Promise<void>) | 'busy'> {
  const identity = `${dev}:${ino}`
  const endVisit = await visit(identity)
  let isLocked = false
  try {
    isLocked = findEntry(identity, realPath) === undefined && (await trySetLock(loadFsExt(), file, true, lane))
    if (!isLocked) return 'busy'
    const entry: Entry = { identity, realPath, dev, ino, shared: false, holders: 1, fd: file }
    addEntry(entry)
    return () => leaveEntry(entry, lane)
  } finally {
    if (!isLocked) park(identity, file, lane)
    await endVisit()
  }
}

export class FcntlHold {
  readonly path: string
  readonly dev: number
  readonly ino: number
  readonly mayEndUnnoticed = true
  readonly #entry: Entry
  readonly #lane: Lane
  #left = false
  #released: Promise<void> | undefined
  /** While the lock is taken again. */
  #retaking: Promise<boolean> | null = null

  /** Counts itself among the holders of the entry. */
  constructor(path: string, entry: Entry, lane: Lane) {
    this.path = path
    this.dev = entry.dev
    this.ino = entry.ino
    this.#entry = entry
    this.#lane = lane
    entry.holders++
  }

  release(): Promise<void> {
    this.#released ??= this.#giveBack()
    return this.#released
  }

  releaseSync(): void {
    try {
      if (this.#left) {
        finishEntrySync(this.#entry)
      } else {
        this.#left = true
        const leave = () => leaveEntrySync(this.#entry)
        // A call is under way on its descriptor, and the number of one that is closed may be another file's by then.
        if (this.#retaking !== null) void this.#retaking.then(leave).catch(() => {})
        else leave()
      }
    } catch (error) {
      throw lockError(this.path, error, 'fcntl')
    }
  }

  /** One that this process has dropped, by closing the file through another descriptor, is taken again where it is free. */
  async look(): Promise<LostReason | null> {
    const { fd } = this.#entry
    if (fd === null) return null
    const lost = this.#entry.asksServer === true ? await runInLane(lossShownByServer(fd), this.#lane) : null
    if (lost !== null || this.#left || isLocked(fd)) return lost
    return (await this.#retake(fd)) ? null : 'advisory-lost'
  }

  /** `fs-ext` takes no fcntl lock with a blocking call: what is dropped is lost. */
  lookSync(): LostReason | null {
    const { fd } = this.#entry
    if (fd === null) return null
    const lost = this.#entry.asksServer === true ? runNow(lossShownByServer(fd)) : null
    return lost ?? (isLocked(fd) || kernelShowsLocks !== true ? null : 'advisory-lost')
  }

  #retake(fd: number): Promise<boolean> {
    this.#retaking ??= trySetLock(loadFsExt(), fd, this.#entry.shared, this.#lane)
      .catch(() => false)
      .finally(() => {
        this.#retaking = null
      })
    return this.#retaking
  }

  async #giveBack(): Promise<void> {
    if (this.#left) return
    this.#left = true
    await this.#retaking
    try {
      await leaveEntry(this.#entry, this.#lane)
    } catch (error) {
      throw lockError(this.path, error, 'fcntl')
    }
  }
}

/** Not every kernel does, and nothing without /proc: asked once, of the first lock that was taken. */
let kernelShowsLocks: boolean | undefined

interface Visit extends OpenOptions {
  readonly path: string
  readonly realPath: string
  readonly file: LockFile
  readonly lane: Lane
}

async function lockWhileVisiting(fsExt: FsExt, visit: Visit): Promise<FcntlHold | 'busy' | 'replaced'> {
  const { path, realPath, file, shared, lane, refusalOf } = visit
  let outcome: 'busy' | 'replaced' = 'busy'
  try {
    if (await trySetLock(fsExt, file.fd, shared, lane)) {
      kernelShowsLocks ??= isLocked(file.fd)
      if (await runInLane(isInPlace(path, file, lane, refusalOf), lane)) {
        const { fd, dev, ino, identity, asksServer } = file
        const entry: Entry = { identity, realPath, dev, ino, shared, holders: 0, fd, asksServer }
        addEntry(entry)
        return new FcntlHold(path, entry, lane)
      }
      outcome = 'replaced'
    }
  } catch (error) {
    park(file.identity, file.fd, lane)
    throw error
  }
  // Nothing of ours is locked on this inode, and the end of the visit closes it.
  park(file.identity, file.fd, lane)
  return outcome
}

/** A file, by its names and by what it is; `null` where there is none. */
interface Named {
  path: string
  realPath: string
  identity: string | null
}

/** What this process's own lock on that file, if there is one, means for the attempt. */
function answerFromRegistry({ path, realPath, identity }: Named, shared: boolean, lane: Lane) {
  const entry = findEntry(identity, realPath)
  if (!entry) return null
  const joinable = shared && entry.shared && entry.holders > 0 && entry.identity === identity
  return joinable ? new FcntlHold(path, entry, lane) : 'busy'
}

async function trySetLock(fsExt: FsExt, fd: number, shared: boolean, lane: Lane): Promise<boolean> {
  const { F_SETLK, F_RDLCK, F_WRLCK } = fsExt.constants
  try {
    await lane.run<void>((done) => fsExt.fcntl(fd, F_SETLK, shared ? F_RDLCK : F_WRLCK, done))
    return true
  } catch (error) {
    // POSIX allows either for "another process holds it".
    if (codeOf(error) === 'EAGAIN' || codeOf(error) === 'EACCES') return false
    throw error
  }
}

async function realPathOf(path: string, lane: Lane): Promise<string> {
  const directory = await lane.run<string>((done) => realpath.native(dirname(path), done))
  return join(directory, basename(path))
}

async function identityAt(path: string, lane: Lane): Promise<string | null> {
  try {
    return identityOf(await lane.run((done) => lstatCall(path).start(done)))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}
