/**
 * An entry that is half made. Some clients make a symbolic link in steps: SMB with `mfsymlinks` makes an empty file first, and
 * then writes what it leads to. A claim whose second step failed stays an empty file, which tells no process whose it is; its own
 * process was told an error, and does not hold it.
 *
 * On these mounts a process must remove what it claimed over before its claim counts (`removeBelow`). So where the entry below is
 * still there, the half-made one has counted for no process, and it never will once that entry is gone. It is moved up, by one
 * rename, and tells then that the generation is free. Of that rename and the removal by a slow claimant one succeeds.
 */

import { observe } from './judge.js'
import { freeName, type LockListing, parseEntry } from './names.js'
import { ask, type Protocol } from './operations.js'
import type { Site } from './site.js'

/** A claim takes milliseconds. Chosen, not measured: a claimant that is slower still is merely beaten. */
const HALF_MADE_MS = 5000

/** @returns whether the highest generation was half made for that long, and is free now: another listing will show it */
export function* freeHalfMade({ path, claim, surroundings }: Site, listing: LockListing): Protocol<boolean> {
  const { highest, entry, below } = listing
  if (highest === null || surroundings.listsAtOnce || !claim.isConfirmedByListing) return false
  const under = below.find((name) => parseEntry(name)?.generation === highest - 1n)
  if (under === undefined) return false
  const before = yield* ask.clock()
  const contents = yield* ask.read(`${path}/${entry}`, true)
  // A hard link to a session file is never empty, and neither is a symbolic link that is whole.
  if (!contents.ok || contents.value.text !== '') return false
  const { modifiedMs } = contents.value
  const sight = { keys: [`${path}/${entry}`], beat: 0, modifiedMs, timeoutIntervalMs: HALF_MADE_MS }
  if (!(yield* observe(sight, before.ownMs, surroundings))) return false
  return (yield* ask.rename(`${path}/${under}`, `${path}/${freeName(highest)}`)).ok
}
