/**
 * When a lock of theirs is abandoned. A process id in a file names no host, and a time stamp is that of some client's clock: so
 * it is judged by watching. What did not change for a whole interval of our own clock belongs to no process that refreshes it.
 */

import { ask, type Protocol } from '../protocol/operations.js'

/** So many intervals: their refreshes may be a tenth late. */
const PATIENCE = 1.1

/** What was seen of each path, and since when it has been so, by our own clock. Of the whole process: attempts may be short. */
const watched = new Map<string, { state: string; sinceMs: number }>()
/** Chosen: at some 300 bytes each that is 3 MB. What was seen first is forgotten first. */
const PATHS_MAX = 10_000

/** `state`: everything about the file that a refresh changes. */
export function* isAbandoned(path: string, state: string, timeoutMs: number): Protocol<boolean> {
  const { ownMs } = yield* ask.clock()
  const known = watched.get(path)
  if (known?.state === state) return ownMs - known.sinceMs >= timeoutMs * PATIENCE
  watched.delete(path)
  for (const oldest of watched.keys()) {
    if (watched.size < PATHS_MAX) break
    watched.delete(oldest)
  }
  watched.set(path, { state, sinceMs: ownMs })
  return false
}
