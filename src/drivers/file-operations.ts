/** Each file operation of the protocol as a sequence of system calls. */

import { type BigIntStats, constants, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import type { Contents, FileOperation, FileStatus, Held, Stamp } from '../protocol/operations.js'
import type { Call, CallName, Calls } from './calls.js'
import { provesNothingDone } from '../protocol/doubt.js'
import { systemErrorCode } from './error-code.js'
import { changeMode, checkMode, shareAsDirectory } from './permissions.js'

const { O_CREAT, O_DIRECT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants

/** Records are shorter; a program that writes more is not one of us. */
const READ_BYTES_MAX = 4096

/**
 * The operations that are one system call, which is most of them. Runners perform these without a generator, which saves 5 % of
 * the cycle of benchmarks/questions/cycle.ts on tmpfs (29.7 instead of 31.1 µs blocking, 28.5 instead of 30.4 asynchronous:
 * the fastest twentieth of 150 rounds, two processes each, in turn; the middle one of three such runs).
 */
export function singleCall(operation: FileOperation): Call | null {
  switch (operation.op) {
    case 'list':
      return ['readdir', operation.path]
    case 'link':
      return ['link', operation.from, operation.to]
    case 'symlink':
      return ['symlink', operation.target, operation.path]
    case 'rename':
      return ['rename', operation.from, operation.to]
    case 'unlink':
      return ['unlink', operation.path]
    case 'rmdir':
      return ['rmdir', operation.path]
    case 'readlink':
      return ['readlink', operation.path]
    case 'drop':
      return ['close', operation.file]
    default:
      return null
  }
}

/** Any operation, as a sequence. */
export function* perform(operation: FileOperation): Calls<unknown> {
  const single = singleCall(operation)
  return single === null ? yield* severalCalls(operation) : yield single
}

/** The operations that are several. */
export function* severalCalls(operation: FileOperation): Calls<unknown> {
  switch (operation.op) {
    case 'mkdir':
      yield ['mkdir', operation.path, operation.mode]
      return yield* setMode(operation.path, operation.mode)
    case 'create':
      return yield* create(operation.path, operation.text, operation.mode)
    case 'read':
      return yield* operation.pastCache ? readPastCache(operation.path) : read(operation.path)
    case 'rewrite':
      return yield* rewrite(operation.path, operation.expect, operation.text)
    case 'stat':
      return status((yield ['lstat', operation.path]) as Stats)
    case 'hold':
      return yield* hold(operation.path, operation.text, operation.mode)
    case 'keep':
      return yield* keep(operation.path)
    case 'overwrite':
      return yield* overwrite(operation.file, operation.text, operation.timesMs)
    default:
      throw new TypeError(`Expected an operation of several calls, got ${operation.op}`)
  }
}

/**
 * Against the umask, which is for files whose maker did not think about it. Never through a symlink that took the directory's
 * place.
 */
function* setMode(path: string, mode: number): Calls<void> {
  yield* withFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, (fd) =>
    shareAsDirectory(fd, mode, path, (permissions) => permissions),
  )
}

function* create(path: string, text: string, mode: number): Calls<Stamp> {
  return yield* withFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode, function* (fd) {
    return stamp(yield* fill(fd, path, text, mode))
  })
}

/** What was just created. */
function* fill(fd: number, path: string, text: string, mode: number): Calls<Stats> {
  // A file for its owner alone needs no help against the umask, and on a server that is a request.
  const isForOthers = (mode & 0o077) !== 0
  const refusal = isForOthers ? yield* changeMode(fd, mode) : null
  if (text !== '') yield* writeAll(fd, text)
  const status = (yield ['fstat', fd]) as Stats
  yield* checkMode(status, mode, dirname(path), refusal)
  return status
}

function* hold(path: string, text: string, mode: number): Calls<Held> {
  const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_DSYNC
  return yield* openToStay(path, flags, mode, (fd) => fill(fd, path, text, mode))
}

function* keep(path: string): Calls<Held> {
  return yield* openToStay(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, (fd) => statRegular(fd, 'open'))
}

/** Opens and works. The file stays open, unless the work fails. */
function* openToStay(path: string, flags: number, mode: number, work: (fd: number) => Calls<Stats>): Calls<Held> {
  const fd = (yield ['open', path, flags, mode]) as number
  try {
    const stats = yield* work(fd)
    return { ...stamp(stats), file: fd, ino: stats.ino }
  } catch (error) {
    yield* closeQuietly(fd)
    throw error
  }
}

/** @throws `EINVAL` where it is no regular file: what other users have put there */
export function* statRegular(fd: number, syscall: CallName): Calls<Stats> {
  const stats = (yield ['fstat', fd]) as Stats
  if (!stats.isFile()) throw systemError('EINVAL', syscall)
  return stats
}

function* overwrite(fd: number, text: string, timesMs: number | null): Calls<Stamp> {
  yield* writeAll(fd, text)
  yield ['ftruncate', fd, Buffer.byteLength(text)]
  if (timesMs !== null) yield* setTimes(fd, timesMs)
  return stamp((yield ['fstat', fd]) as Stats)
}

/** For readers that go by the age of a file. Where a mount shows another owner it is refused: what was written still counts. */
function* setTimes(fd: number, timesMs: number): Calls<void> {
  try {
    yield ['futimes', fd, timesMs / 1000, timesMs / 1000]
  } catch (error) {
    if (!provesNothingDone(systemErrorCode(error) ?? '')) throw error
  }
}

function* read(path: string, extraFlags = 0): Calls<Contents> {
  return yield* withFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | extraFlags, 0, function* (fd) {
    const stats = (yield ['fstat', fd]) as Stats
    return { text: yield* readText(fd, stats), modifiedMs: stats.mtimeMs, ino: stats.ino }
  })
}

/** `O_DIRECT`: Linux's NFS client asks for no delegation then (`nfs4_map_atomic_open_share`). */
function* readPastCache(path: string): Calls<Contents> {
  try {
    return yield* read(path, O_DIRECT)
  } catch (error) {
    // The file system cannot, or it is no regular file: it is asked once more in the usual way, which tells.
    if (systemErrorCode(error) !== 'EINVAL') throw error
    return yield* read(path)
  }
}

function* rewrite(path: string, expect: string, text: string): Calls<Stamp> {
  // A data write that reaches the server before it returns: time stamps set by a client say what the client's clock says.
  return yield* withFile(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_DSYNC, 0, function* (fd) {
    const present = yield* readText(fd, (yield ['fstat', fd]) as Stats)
    if (!present.includes(expect)) throw systemError('EINVAL', 'write')
    yield* writeAll(fd, text)
    return stamp((yield ['fstat', fd]) as Stats)
  })
}

function* readText(fd: number, stats: Stats): Calls<string> {
  if (!stats.isFile()) throw systemError('EINVAL', 'read')
  const buffer = Buffer.allocUnsafe(READ_BYTES_MAX)
  const bytes = (yield ['read', fd, buffer, 0, READ_BYTES_MAX, 0]) as number
  return buffer.toString('utf8', 0, bytes)
}

export function* writeAll(fd: number, data: string | Uint8Array): Calls<void> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  const written = (yield ['write', fd, bytes, 0, bytes.length, 0]) as number
  if (written !== bytes.length) throw systemError('ENOSPC', 'write')
}

/** Opens, works, closes. A failure to close counts: on NFS it is where a failed write is told. */
export function* withFile<Result>(path: string, flags: number, mode: number, work: (fd: number) => Calls<Result>): Calls<Result> {
  const fd = (yield ['open', path, flags, mode]) as number
  let result: Result
  try {
    result = yield* work(fd)
  } catch (error) {
    yield* closeQuietly(fd)
    throw error
  }
  yield ['close', fd]
  return result
}

export function* closeQuietly(fd: number): Calls<void> {
  try {
    yield ['close', fd]
  } catch {
    // The first failure is the one to tell.
  }
}

const stamp = (stats: Stats): Stamp => ({ serverMs: stats.mtimeMs, dev: stats.dev, links: stats.nlink })

export function status(stats: Stats | BigIntStats): FileStatus {
  const type = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'other'
  return {
    dev: Number(stats.dev),
    ino: Number(stats.ino),
    uid: Number(stats.uid),
    type,
    mode: Number(stats.mode) & 0o7777,
    links: Number(stats.nlink),
    ...times(stats),
  }
}

function times(stats: Stats | BigIntStats): Pick<FileStatus, 'modifiedMs' | 'changedMs' | 'bornMs'> {
  const [modifiedMs, changedMs, bornMs] =
    'mtimeNs' in stats
      ? ([toMs(stats.mtimeNs), toMs(stats.ctimeNs), toMs(stats.birthtimeNs)] as const)
      : ([stats.mtimeMs, stats.ctimeMs, stats.birthtimeMs] as const)
  // Node says 0 where it is not known.
  return { modifiedMs, changedMs, bornMs: bornMs === 0 ? null : bornMs }
}

const toMs = (ns: bigint) => Number(ns) / 1e6

function systemError(code: string, syscall: CallName): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall })
}
