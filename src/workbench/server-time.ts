/** The file server's clock, asked for beside locks of Workbench. */

import { newLockName } from '../protocol/names.js'
import { ask, type Protocol } from '../protocol/operations.js'

/**
 * In milliseconds since the epoch; `null` where this user may not write. It is asked for with a directory, because a session of
 * theirs reads every file beside its lock as a document.
 */
export function* serverTime(directory: string): Protocol<number | null> {
  const path = `${directory}/${newLockName(yield* ask.name())}`
  const made = yield* ask.mkdir(path, 0o700)
  const there = yield* ask.stat(path)
  yield* ask.rmdir(path) // also where it was made and the answer is an error
  return made.ok && there.ok ? there.value.modifiedMs : null
}
