/** Lock paths: what is accepted, and their parts. */

import { basename, dirname, resolve } from 'node:path'
import { describe } from '../assert.js'
import { systemErrorCode } from '../drivers/error-code.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { InvalidArgumentError } from '../errors.js'

export interface LockPath {
  path: string
  directory: string
  name: string
}

/** The longest name that file systems take, in bytes. */
const NAME_BYTES_MAX = 255

/** A process names a lock that it uses often in the same way each time. Absolute paths only: where others lead may change. */
const known = new Map<string, LockPath>()
const KNOWN_MAX = 1000

export function lockPath(path: string): LockPath {
  return known.get(path) ?? takeApart(path)
}

function takeApart(path: string): LockPath {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new InvalidArgumentError(
      `Expected the path of a lock to be a non-empty string without NUL, got ${describe(path)}`,
      'Correct the path.',
    )
  }
  const absolute = absolutePath(path)
  // Also what the current directory adds.
  if (absolute.includes('\uFFFD')) {
    throw new InvalidArgumentError(
      `Expected the path of a lock to be UTF-8, got ${JSON.stringify(absolute)}, in which bytes are lost that are not`,
      'Rename it, or lock another path: Node cannot name this one, and would lock a path that no other program means.',
    )
  }
  const name = basename(absolute)
  if (name === '')
    throw new InvalidArgumentError(`Expected the path of a lock, got the root directory`, 'Name a lock in a directory.')
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    throw fileSystemError({ action: 'open', path: absolute, errno: 'ENAMETOOLONG', fileSystem: null })
  }
  const parts = { path: absolute, directory: dirname(absolute), name }
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(absolute, parts)
  return parts
}

/** A relative path leads nowhere when the current directory has been removed. */
function absolutePath(path: string): string {
  try {
    return resolve(path)
  } catch (error) {
    const errno = systemErrorCode(error) ?? 'ENOENT'
    throw fileSystemError({ action: 'stat', path, errno, fileSystem: null, cause: error })
  }
}
