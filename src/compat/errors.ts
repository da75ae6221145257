/** The errors of `proper-lockfile`: its codes, and the line of the caller. */

import { fromCallersLine } from '../advice/callers-line.js'
import { LockFileSystemError } from '../errors.js'

/** The codes of `proper-lockfile`. */
export type LockfileErrorCode = 'ELOCKED' | 'ENOTACQUIRED' | 'ERELEASED' | 'ECOMPROMISED' | 'ESYNC'

/** An error with a code of `proper-lockfile`. */
export interface LockfileError extends Error {
  /** One of {@link LockfileErrorCode}, or the name of a system error such as `ENOENT`. */
  code: LockfileErrorCode | (string & {})
  /** `ELOCKED` only: the file whose lock is held. */
  file?: string
}

/** @internal */
export function lockfileError(code: LockfileErrorCode, message: string, cause?: unknown): LockfileError {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code })
}

/** A program that used to look for `EACCES` finds it; the original, with its advice, is the cause. @internal */
export function asSystemError(error: unknown): unknown {
  if (!(error instanceof LockFileSystemError)) return error
  return Object.assign(new Error(error.message, { cause: error }), { code: error.errno })
}

/** Does it. Its errors lead to the caller of the function that has this done. @internal */
export async function forCaller<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw fromCallersLine(error, forCaller, isOfCall)
  }
}

/** {@link forCaller}, with blocking calls. @internal */
export function forCallerSync<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw fromCallersLine(error, forCallerSync, isOfCall)
  }
}

/** One of ours, of the library's, or of the file system. */
const isOfCall = (error: unknown): error is Error =>
  error instanceof Error && typeof (error as Partial<LockfileError>).code === 'string'
