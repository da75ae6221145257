/**
 * Reading and replacing the data that a lock protects. A lock is no cache barrier: an NFS client may serve a file from its
 * cache although another node has written it under the lock, if size and time stamp are the same to it (NFSv3: within one
 * tick of the server's clock).
 */

import { constants, type Stats } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Call, Calls } from './calls.js'
import { systemErrorCode } from './error-code.js'
import { statRegular, withFile, writeAll } from './file-operations.js'
import { giveMode } from './permissions.js'

const { O_CREAT, O_DIRECT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
/** What another user may have put in the file's place, a FIFO for one, is not waited for. */
const READING = O_RDONLY | O_NONBLOCK
const READ_BYTES = 64 * 1024

/** The file as the server has it. `coherent`: there is but one cache, this machine's, and it is right. */
export function* readFresh(path: string, coherent: boolean): Calls<Buffer> {
  if (coherent) return yield* withFile(path, READING, 0, readToEnd)
  try {
    return yield* withFile(path, READING | O_DIRECT, 0, readToEnd)
  } catch (error) {
    // Not every file system can read past its cache; those that cannot keep none, or are on their own.
    if (systemErrorCode(error) !== 'EINVAL') throw error
    return yield* withFile(path, READING, 0, readToEnd)
  }
}

function* readToEnd(fd: number): Calls<Buffer> {
  yield* statRegular(fd, 'read')
  const chunks: Buffer[] = []
  for (let position = 0; ;) {
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
    const bytes = (yield ['read', fd, chunk, 0, READ_BYTES, position]) as number
    if (bytes === 0) return Buffer.concat(chunks)
    chunks.push(chunk.subarray(0, bytes))
    position += bytes
  }
}

/** Which file a path leads to; `null`: there is none. */
export function* fileAt(named: string): Calls<{ dev: number; ino: number } | null> {
  const { old } = yield* target(named)
  return old
}

/** What a file has, before the umask, where there was none. */
const NEW_FILE_MODE = 0o666

/**
 * Writes a new file beside the old one and puts it in its place, with the old one's mode, and its owner where this process may
 * give files away. Through a symbolic link the file that it leads to is replaced. `random`: makes the new file's name. `check`
 * is asked last; what it throws leaves the old file as it was.
 */
export function* replaceFile(named: string, random: string, data: string | Uint8Array, check: () => void): Calls<void> {
  const { path, old } = yield* target(named)
  const temporary = beside(path, random)
  try {
    const mode = old === null ? NEW_FILE_MODE : 0o600
    yield* withFile(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode, function* (fd) {
      if (old !== null) yield* makeLike(fd, temporary, old)
      yield* writeAll(fd, data)
      yield ['fsync', fd]
    })
    check()
    yield ['rename', temporary, path]
  } catch (error) {
    yield* remove(temporary)
    throw error
  }
}

/** What a file system takes, in bytes. */
const NAME_BYTES_MAX = 255
/** In a name of fewer characters than this there is room for what is added to it, however many bytes each takes. */
const SHORT_NAME = 59

/** Its name begins as the file's does, as far as there is room. */
function beside(path: string, random: string): string {
  const [name, ending] = [basename(path), `.${random}`]
  const isShort = Buffer.byteLength(name + ending) <= NAME_BYTES_MAX
  return `${dirname(path)}/${isShort ? name : name.slice(0, SHORT_NAME)}${ending}`
}

/** The file that a path leads to, and what it is now; `null`: there is none. @throws ENOENT for a link that leads nowhere */
function* target(named: string): Calls<{ path: string; old: Stats | null }> {
  const there = yield* statusOf(named)
  if (there === null || !there.isSymbolicLink()) return { path: named, old: there }
  const path = (yield ['realpath', named]) as string
  return { path, old: yield* statusOf(path) }
}

function* statusOf(path: string): Calls<Stats | null> {
  try {
    return (yield ['lstat', path]) as Stats
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null
    throw error
  }
}

/** Permissions of a group that the new file does not get are not given to another one. */
function* makeLike(fd: number, temporary: string, old: Stats): Calls<void> {
  const made = (yield ['fstat', fd]) as Stats
  const isGroupKept = old.gid === made.gid || (yield* isDone(['fchown', fd, made.uid, old.gid]))
  const isOwnerKept = old.uid === made.uid || (yield* isDone(['fchown', fd, old.uid, isGroupKept ? old.gid : made.gid]))
  const permissions = old.mode & (isGroupKept ? 0o777 : 0o707)
  // Without owner and group, set-user-ID and its like would speak for another user.
  yield* giveMode(fd, isOwnerKept && isGroupKept ? old.mode & 0o7777 : permissions, temporary)
}

function* isDone(call: Call): Calls<boolean> {
  try {
    yield call
    return true
  } catch (error) {
    if (systemErrorCode(error) === null) throw error
    return false
  }
}

function* remove(path: string): Calls<void> {
  try {
    yield ['unlink', path]
  } catch {
    // The first failure is the one to tell.
  }
}
