/** A lock directory whose marker is gone: what cleans temporary directories has removed it, for nothing reads or writes it. */

import { basename } from 'node:path'
import { Lane } from '../../drivers/lane.js'
import { runProtocol } from '../../drivers/run.js'
import { whatIsWithoutLock } from '../../protocol/foreign.js'
import { heldName, isMomentaryName, parseListing, sessionOfTarget } from '../../protocol/names.js'
import { ask, type Protocol } from '../../protocol/operations.js'
import { decodeRecord } from '../../protocol/record.js'
import { bounded } from '../shared/bounded.js'

/**
 * Of a path that was meant as a lock, the size of its numbers tells enough. Among all the directories of a tree, some have files
 * of other programs which are called by the time: here the highest generation is spelled as only ours are, or leads to a session.
 *
 * @param names in a directory without a marker
 */
export async function isWithoutMarker(directory: string, names: readonly string[]): Promise<boolean> {
  // Drafts of locks, and the tickets of former ones, which are about to go.
  if (isMomentaryName(basename(directory))) return false
  const listing = parseListing(names)
  if (listing.highest === null || whatIsWithoutLock(listing) !== 'without-marker') return false
  if (listing.entry !== heldName(listing.highest)) return true
  return await bounded(directory, runProtocol(leadsToSession(`${directory}/${listing.entry}`), new Lane())).catch(() => false)
}

/** A symbolic link to a session file, or another name of one. */
function* leadsToSession(path: string): Protocol<boolean> {
  const target = yield* ask.readlink(path)
  if (target.ok) return sessionOfTarget(target.value) !== null
  const found = yield* ask.read(path, false)
  return found.ok && decodeRecord(found.value.text) !== null
}
