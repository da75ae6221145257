/**
 * Reading and replacing the data that a lock protects. A lock is no cache barrier: an NFS client may serve a file from its
 * cache although another node has written it under the lock, if size and time stamp are the same to it (NFSv3: within one
 * tick of the server's clock).
 */

import { constants } from 'node:fs'
import type { Calls } from './calls.js'
import { systemErrorCode } from './error-code.js'
import { withFile, writeAll } from './file-operations.js'

const { O_CREAT, O_DIRECT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants
const READ_BYTES = 64 * 1024

/** The file as the server has it. `coherent`: there is but one cache, this machine's, and it is right. */
export function* readFresh(path: string, coherent: boolean): Calls<Buffer> {
  if (coherent) return yield* withFile(path, O_RDONLY, 0, readToEnd)
  try {
    return yield* withFile(path, O_RDONLY | O_DIRECT, 0, readToEnd)
  } catch (error) {
    // Not every file system can read past its cache; those that cannot keep none, or are on their own.
    if (systemErrorCode(error) !== 'EINVAL') throw error
    return yield* withFile(path, O_RDONLY, 0, readToEnd)
  }
}

function* readToEnd(fd: number): Calls<Buffer> {
  const chunks: Buffer[] = []
  for (let position = 0; ;) {
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
    const bytes = (yield ['read', fd, chunk, 0, READ_BYTES, position]) as number
    if (bytes === 0) return Buffer.concat(chunks)
    chunks.push(chunk.subarray(0, bytes))
    position += bytes
  }
}

/** Writes a new file beside the old one and puts it in its place. `check` is asked last; what it throws leaves the old file as it was. */
export function* replaceFile(path: string, temporary: string, data: string | Uint8Array, check: () => void): Calls<void> {
  try {
    yield* withFile(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666, function* (fd) {
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

function* remove(path: string): Calls<void> {
  try {
    yield ['unlink', path]
  } catch {
    // The first failure is the one to tell.
  }
}
