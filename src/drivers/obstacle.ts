/** Why a path leads nowhere. */

import type { Stats } from 'node:fs'
import { dirname, isAbsolute } from 'node:path'
import { isAbsent } from '../protocol/doubt.js'
import type { Call, Calls } from './calls.js'
import { systemErrorCode } from './error-code.js'
import { missingDirectory } from './threads.js'

/**
 * What is on the way to it, in words: a link into the void, as into a share that is not mounted, a file in the place of a
 * directory, or a current directory that is gone. `null`: there is none, so it is missing indeed.
 */
export function* obstacleTo(path: string): Calls<string | null> {
  if (!isAbsolute(path) && missingDirectory() !== null) return 'its path is relative, and the current directory is gone'
  for (let each = path; each !== dirname(each); each = dirname(each)) {
    if ((yield* unlessMissing(['lstat', each])) === null) continue
    const named = each === path ? 'it' : each
    const real = yield* unlessMissing(['realpath', each])
    if (real === null) return `${named} is a symbolic link to ${(yield ['readlink', each]) as string}, which is not there`
    const status = (yield ['lstat', real]) as Stats
    return status.isDirectory() ? null : `${named} is not a directory` // so far the way is there
  }
  return null
}

function* unlessMissing(call: Call): Calls<unknown> {
  try {
    return yield call
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  return isAbsent(systemErrorCode(error) ?? '')
}
