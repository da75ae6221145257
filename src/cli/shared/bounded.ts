/**
 * File operations with an end. On a dead mount a system call may never return: nothing here waits for it longer than
 * the limit, so Ctrl+C and the end of the program stay possible. The call itself cannot be recalled; it stays in libuv's pool.
 */

import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { withName } from '../../advice/errno-names.js'
import { fileSystemError } from '../../advice/file-system-error.js'
import { actionOfCall } from '../../advice/meanings.js'
import { fileSystemAt } from '../../drivers/mount-info.js'
import { MountlockError } from '../../errors.js'

/** Long enough for a busy file server, short enough for a user that waits. */
const OPERATION_LIMIT_MS = 10_000

/** @throws LockFileSystemError (`SERVER_TIMEOUT`) when the operation on `path` has not ended within `limitMs` */
export async function bounded<T>(path: string, operation: Promise<T>, limitMs = OPERATION_LIMIT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          fileSystemError({
            ...{ action: 'stat', path, errno: 'ETIMEDOUT', fileSystem: fileSystemAt(path) },
            cause: new Error(`no answer within ${limitMs} ms`),
          }),
        ),
      limitMs,
    )
  })
  operation.catch(() => {}) // it may fail long after we have given up on it
  try {
    return await Promise.race([operation, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** The first names of a directory, in no order: a whole listing of what others fill has no bound in time and memory. */
export async function listSome(directory: string, namesMax: number): Promise<{ entries: Dirent[]; isComplete: boolean }> {
  const entries: Dirent[] = []
  for await (const entry of await opendir(directory, { bufferSize: NAMES_AT_ONCE })) {
    if (entries.length === namesMax) return { entries, isComplete: false }
    entries.push(entry)
  }
  return { entries, isComplete: true }
}

const NAMES_AT_ONCE = 1000

/** Waits for `settled`, at most `limitMs`. Tells whether it came to its end in time; never throws. */
export async function endsWithin(limitMs: number, settled: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, limitMs, false)
  })
  const end = settled.then(
    () => true,
    () => true,
  )
  const inTime = await Promise.race([end, limit])
  clearTimeout(timer)
  return inTime
}

/** The errno's name of a failed system call, the code of another error, or `null`. */
export function codeOf(error: unknown): string | null {
  const { code } = withName(error) as { code?: unknown }
  return typeof code === 'string' ? code : null
}

/** What a failed system call on `path` means for locks; other errors as they are. */
export function asLockError(error: unknown, path: string): unknown {
  const errno = codeOf(error)
  if (error instanceof MountlockError || errno === null) return error
  return fileSystemError({ action: actionOfCall(error) ?? 'create', path, errno, fileSystem: fileSystemAt(path), cause: error })
}
