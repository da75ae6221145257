/** How a lock file is opened: what is refused, which process creates it, and whether its path still leads to it. */

import {
  type BigIntStats,
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  ftruncate,
  ftruncateSync,
  lstat,
  lstatSync,
  open,
  openSync,
  read,
  readSync,
  type Stats,
  stat,
  statSync,
  unlink,
  unlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { systemErrorCode } from '../drivers/error-code.js'
import { randomName } from '../drivers/identity.js'
import { Lane } from '../drivers/lane.js'
import { fileSystemAt } from '../drivers/mount-info.js'
import { isMissing } from '../drivers/obstacle.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { actionOfCall } from '../advice/meanings.js'
import { ForeignLockError, LockFileSystemError, MountlockError } from '../errors.js'
import type { AdvisoryCall } from '../types.js'
import { lockFileMode, share } from './sharing.js'
import { lookName } from '../protocol/names.js'
import { type Call, make, type Program } from './calls.js'
import { closeOrPark, closeOrParkSync } from './process-registry.js'

export interface LockFile {
  readonly fd: number
  readonly dev: number
  readonly ino: number
  /** `dev:ino`, exactly: inode numbers of network file systems may have 64 bits, and a `number` would confuse neighbours. */
  readonly identity: string
  readonly writable: boolean
  readonly isExecutable: boolean
  /** It was opened so that {@link readPastCache} asks the server. */
  readonly asksServer: boolean
}

// O_NONBLOCK lets a FIFO be recognised instead of waited for; libuv adds O_CLOEXEC.
const CAREFULLY = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
export const READ_WRITE: number = constants.O_RDWR | CAREFULLY
export const READ_ONLY: number = constants.O_RDONLY | CAREFULLY
/** Errors that say that the file may not be written, or not now, because it is being executed. */
const NOT_WRITABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ETXTBSY'])
/** How often the path may turn out to be something else, and then not to be, before that is an error. */
const ROUNDS_MAX = 10
/** Errors of `open` that say that there is something else than a file. */
const NOT_A_FILE = new Set(['EISDIR', 'ELOOP', 'ENXIO'])

/** Only `open` tells that a file may not be written: the same errors of a call on the open file mean something else. */
export function mayNotBeWritten(error: unknown): boolean {
  if (!(error instanceof LockFileSystemError) || !NOT_WRITABLE.has(error.errno)) return false
  return (error.cause as NodeJS.ErrnoException | undefined)?.syscall === 'open'
}

export interface OpenOptions {
  shared: boolean
  /** Open it so that {@link readPastCache} asks the server. */
  pastCache?: boolean
  /** Why a file in which something stands is no lock file; `null`: it may be one. Asked when it is locked, before that counts. */
  refusalOf?: (written: Written) => MountlockError | null
}

/** What stands in a lock file. */
export interface Written {
  text: Uint8Array
  /** Hard links to the file. */
  links: number
  modifiedMs: number
}

/**
 * A descriptor that can only read locks a file that may not be written, and leaves one that is a program executable, which
 * the kernel refuses (`ETXTBSY`) while any process has it open for writing.
 */
export type Access = 'reading' | 'writing'

/** Opens the lock file, and creates it when it is missing; never its directory. */
export function* openLockFile(path: string, access: Access, { pastCache }: OpenOptions): Program<LockFile> {
  const writable = access === 'writing'
  const flags = (writable ? READ_WRITE : READ_ONLY) | (pastCache === true ? constants.O_DIRECT : 0)
  for (let round = 1; ; round++) {
    try {
      return yield* examine(path, yield* openOrCreate(path, flags), { writable, asksServer: pastCache === true })
    } catch (error) {
      if (!NOT_A_FILE.has(codeOf(error))) throw error
      yield* refuseForeign(path)
      // What was in the way has gone meanwhile: the path changes its lock type.
      if (round === ROUNDS_MAX) throw error
    }
  }
}

/** Opens the lock file if it exists: `null` when not. Needs no more than read permission. */
export function* openExistingLockFile(path: string): Program<LockFile | null> {
  try {
    const { fd, writable } = yield* openForWritingIfPossible(path)
    return yield* examine(path, fd, { writable, asksServer: false })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    if (NOT_A_FILE.has(codeOf(error))) yield* refuseForeign(path)
    throw error
  }
}

/**
 * Written into a lock file that is about to be removed because its path becomes a lock of another type (`changeover.ts`):
 * into the file itself, so that no name in an NFS client's cache can hide it from a process that locks the file too late.
 */
export const GIVEN_UP = 'mountlock gives this lock file up: its path becomes a lock of another type.\n'

/** Only what is as short as this is read. */
export const WRITTEN_BYTES_MAX = 100

/**
 * Does the path still lead to the locked file? If not, it was removed or replaced, and others lock its successor.
 * @throws what `refusalOf` says
 */
export function* isInPlace(path: string, file: LockFile, lane: Lane, refusalOf?: OpenOptions['refusalOf']): Program<boolean> {
  try {
    const there = yield* make(lstatCall(path))
    if (identityOf(there) !== file.identity) return false
    // A lock file is empty, unless its program uses it for more.
    if (there.size === 0n || there.size > BigInt(WRITTEN_BYTES_MAX)) return true
    const text = yield* readAll(file)
    if (text.toString('latin1') === GIVEN_UP) return yield* takeBack(path, file, lane)
    const refusal = refusalOf?.({ text, links: Number(there.nlink), modifiedMs: Number(there.mtimeMs) }) ?? null
    if (refusal !== null) throw refusal
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** Is that file at this path? */
export function* leadsTo(path: string, { dev, ino }: { dev: number; ino: number }): Program<boolean> {
  try {
    const there = yield* make(lstatCall(path))
    return Number(there.dev) === dev && Number(there.ino) === ino
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

function* readAll({ fd }: LockFile): Program<Buffer> {
  const bytes = Buffer.alloc(WRITTEN_BYTES_MAX)
  const count = yield* make<number>({
    now: () => readSync(fd, bytes, 0, bytes.length, 0),
    start: (done) => read(fd, bytes, 0, bytes.length, 0, done),
  })
  return bytes.subarray(0, count)
}

/**
 * A process that gives a file up holds its locks until it is removed. So either it is gone, and only a cached name still
 * leads there: then the sentence stays, for the next process that comes too late. Or that process has died before it
 * removed the file: then it is a lock file as before. After a change of our own in the directory the name tells the truth.
 */
function* takeBack(path: string, { identity }: LockFile, lane: Lane): Program<boolean> {
  const look = join(dirname(path), lookName(randomName()))
  let file: LockFile
  try {
    const lookFd = yield* make(openCall(look, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL))
    yield* make({ now: () => closeSync(lookFd), start: (done) => close(lookFd, done) })
    yield* make({ now: () => unlinkSync(look), start: (done) => unlink(look, done) })
    file = yield* examine(path, yield* make(openCall(path, READ_WRITE)), { writable: true, asksServer: false })
  } catch (error) {
    if (NOT_WRITABLE.has(codeOf(error))) return false
    throw error
  }
  const isSame = file.identity === identity
  if (isSame) yield* make({ now: () => ftruncateSync(file.fd), start: (done) => ftruncate(file.fd, done) })
  yield* make({
    now: () => closeOrParkSync(file.identity, file.fd, lane),
    start: (done) => closeOrPark(file.identity, file.fd, lane, done),
  })
  return isSame
}

/** Asks the server through a descriptor that was opened for that: an error says that its lock is lost, or in doubt. */
const readPastCache = (fd: number): Call<unknown> => ({
  now: () => readSync(fd, Buffer.alloc(1), 0, 1, 0),
  start: (done) => read(fd, Buffer.alloc(1), 0, 1, 0, done),
})

export function* lossShownByServer(fd: number): Program<'advisory-lost' | null> {
  try {
    yield* make(readPastCache(fd))
    return null
  } catch {
    return 'advisory-lost'
  }
}

/** Throws what the path is, unless it is a file (or gone by now). */
export function* refuseForeign(path: string): Program<void> {
  let there: BigIntStats
  try {
    there = yield* make(lstatCall(path))
  } catch {
    return
  }
  if (there.isFile()) return
  if (there.isDirectory() && (yield* isLinkBasedLock(path))) {
    throw new ForeignLockError(path, 'it is used as a link-based lock', "Use lockType: 'linkbased' here, or another path.")
  }
  throw new ForeignLockError(path, `it is ${kindOf(there)}`, 'Advisory locks need a regular file: choose another path.')
}

export const isExecutable = (mode: number): boolean => (mode & 0o111) !== 0

export function identityOf(there: BigIntStats): string {
  return `${there.dev}:${there.ino}`
}

export function codeOf(error: unknown): string {
  return systemErrorCode(error) ?? ''
}

/**
 * The error to throw for whatever a program threw: system errors get their sentence, our own stay. What the lock's file is opened
 * or looked at for means something else than the lock itself.
 */
export function lockError(path: string, error: unknown, means: AdvisoryCall, fileSystem = fileSystemAt(path)): unknown {
  const code = codeOf(error)
  if (error instanceof MountlockError || code === '') return error
  return fileSystemError({ action: actionOfCall(error) ?? 'advisory-lock', path, errno: code, means, fileSystem, cause: error })
}

export function replacedError(path: string): ForeignLockError {
  return new ForeignLockError(
    path,
    'the lock file was replaced again and again while it was being locked',
    'Find out which program removes or replaces it: an advisory lock file must stay.',
  )
}

export function lstatCall(path: string) {
  return {
    now: () => lstatSync(path, { bigint: true }),
    start: (done: (error: Error | null, value?: BigIntStats) => void) => lstat(path, { bigint: true }, done),
  }
}

/**
 * Creates with O_EXCL only: the process that creates sets the mode, and `protected_regular` (sticky directories) is not
 * in the way of other processes.
 */
function* openOrCreate(path: string, flags: number): Program<number> {
  try {
    return yield* make(openCall(path, flags))
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  const parent = yield* make(statCall(dirname(path)))
  const mode = lockFileMode(parent.mode)
  let fd: number
  try {
    fd = yield* make(openCall(path, flags | constants.O_CREAT | constants.O_EXCL, mode))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    // Created by another process meanwhile. With O_CREAT, since an NFS client may go on believing that the name is missing.
    return yield* make(openCall(path, flags | constants.O_CREAT, mode))
  }
  try {
    yield* share(fd, mode, path)
  } catch (error) {
    // No process locks here before the mount is mended: each that makes the file anew is refused. So removing it is safe.
    yield* make({ now: () => unlinkSync(path), start: (done) => unlink(path, done) })
    yield* make({ now: () => closeSync(fd), start: (done) => close(fd, done) })
    throw error
  }
  return fd
}

function* openForWritingIfPossible(path: string): Program<{ fd: number; writable: boolean }> {
  try {
    return { fd: yield* make(openCall(path, READ_WRITE)), writable: true }
  } catch (error) {
    if (!NOT_WRITABLE.has(codeOf(error))) throw error
  }
  return { fd: yield* make(openCall(path, READ_ONLY)), writable: false }
}

type OpenedFor = Pick<LockFile, 'writable' | 'asksServer'>

function* examine(path: string, fd: number, openedFor: OpenedFor): Program<LockFile> {
  // Where fstat fails the descriptor is left open for good: closing it could drop an fcntl lock that we hold on that inode.
  const there = yield* make(fstatCall(fd))
  if (there.isFile()) {
    const [dev, ino] = [Number(there.dev), Number(there.ino)]
    return { fd, dev, ino, identity: identityOf(there), isExecutable: isExecutable(Number(there.mode)), ...openedFor }
  }
  // Not a file, so nothing of ours is locked through it, and closing it is safe.
  yield* make({ now: () => closeSync(fd), start: (done) => close(fd, done) })
  yield* refuseForeign(path)
  throw new ForeignLockError(path, `it is ${kindOf(there)}`, 'Advisory locks need a regular file: choose another path.')
}

function* isLinkBasedLock(directory: string): Program<boolean> {
  try {
    yield* make(lstatCall(join(directory, '.links')))
    return true
  } catch {
    return false
  }
}

function kindOf(there: BigIntStats): string {
  if (there.isDirectory()) return 'a directory'
  if (there.isSymbolicLink()) return 'a symbolic link'
  if (there.isFIFO()) return 'a FIFO'
  if (there.isSocket()) return 'a socket'
  return 'a device'
}

function openCall(path: string, flags: number, mode = 0o600) {
  return {
    now: () => openSync(path, flags, mode),
    start: (done: (error: Error | null, fd?: number) => void) => open(path, flags, mode, done),
  }
}

function statCall(path: string) {
  return {
    now: () => statSync(path),
    start: (done: (error: Error | null, value?: Stats) => void) => stat(path, done),
  }
}

function fstatCall(fd: number) {
  return {
    now: () => fstatSync(fd, { bigint: true }),
    start: (done: (error: Error | null, value?: BigIntStats) => void) => fstat(fd, { bigint: true }, done),
  }
}
