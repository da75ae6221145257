/**
 * Takes a lock directory away, for good, when nobody holds the lock: so that its path can become a lock of another type.
 *
 * Nothing is ever removed or renamed that could be something else by now: whoever is slow must hit nothing. So the
 * directory is emptied where it is, every name that is changed on the way contains a random number and is used once, and
 * the last step, `rmdir`, removes a directory only while it is empty. The steps, for a lock of links:
 *
 * 1. `.links` → `.dissolving-links-<random>`. From now on no acquisition counts, because its second listing does not find
 *    the marker. A look *after* that shows whether one had counted before: then the marker gets its old name back.
 * 2. Otherwise `.dissolving-…` → `.dissolved-<random>`: nobody holds the lock, and nobody ever will. No way leads back.
 * 3. The generations are removed. Those of an acquirer who comes late do not count, and are removed as well.
 * 4. `.dissolved-…` → beside the lock, as a note with the directory's inode number: in one step the directory is empty, and
 *    it is known whose empty directory it is. (An empty directory alone would look like a lock of `proper-lockfile`.)
 * 5. `rmdir`, and the note is removed.
 *
 * Whoever finds a directory in one of these states, of whatever type his own lock is, goes on from there: `.dissolving`
 * is taken over by giving it a name of one's own, which makes all further steps of its former owner fail. With renamed
 * generations a listing does not decide, so between 1 and 2 the entry that could be claimed is removed: for that, too,
 * there is exactly one winner. What a crash leaves: before 4 a directory that the next comer finishes or puts back; after
 * 4 an empty one that the note explains; after `rmdir` a note of a hundred bytes that nobody needs.
 */

import { judge, ownChange } from './judge.js'
import {
  dissolvedName,
  dissolvedNote,
  dissolvedOfNote,
  dissolvingKind,
  dissolvingName,
  isDissolvedName,
  isSpentName,
  type LockKind,
  type LockListing,
  markerName,
  parseListing,
} from './names.js'
import { ask, type Protocol, type Reply } from './operations.js'
import type { SessionRecord } from './record.js'
import { isAbsent, type Place } from './settle.js'

export type Dissolution =
  /** There is no lock directory any more. */
  | { kind: 'gone' }
  /** It is of the wanted kind, and stays. */
  | { kind: 'kept' }
  | { kind: 'held'; lockKind: LockKind; holder: SessionRecord | null }
  /** Somebody else is at work on it: look again later. */
  | { kind: 'busy' }
  /** It is not ours, or contains what is not ours. */
  | { kind: 'foreign' }
  | { kind: 'failed'; code: string; error?: unknown }

/** Each round either gets somewhere or shows that somebody else does. */
const ROUNDS_MAX = 8
/** What an NFS client makes of a file that is removed while it is open; it goes away by itself. */
const SILLY_RENAMED = /^\.nfs[0-9a-f]+$/

/** `wanted`: the kind of lock that may stay at this path; `null`: none. */
export function* dissolve(site: Place, wanted: LockKind | null): Protocol<Dissolution> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const listed = yield* ask.list(site.path)
    if (!listed.ok) return isAbsent(listed.code) ? { kind: 'gone' } : { kind: 'failed', ...listed }
    const outcome = yield* step(site, listed.value, wanted)
    if (outcome !== null) return outcome
  }
  return { kind: 'busy' }
}

/** `null`: look again. */
function* step(site: Place, names: string[], wanted: LockKind | null): Protocol<Dissolution | null> {
  const { kind } = parseListing(names)
  if (kind !== null) return kind === wanted ? { kind: 'kept' } : yield* begin(site, kind, wanted)
  const dissolving = names.find((name) => dissolvingKind(name) !== null)
  if (dissolving !== undefined) return yield* takeMarker(site, dissolving, dissolvingKind(dissolving) as LockKind, wanted)
  const dissolved = names.find(isDissolvedName)
  if (dissolved !== undefined) return yield* sweep(site, names, dissolved)
  return yield* recall(site, names)
}

/** Whoever is seen to hold the lock is not bothered. */
function* begin(site: Place, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | null> {
  // An NFS client may go on showing a holder that is long gone.
  if (!site.surroundings.coherent) yield* ownChange(site.path)
  const listed = yield* ask.list(site.path)
  if (!listed.ok) return null
  const listing = parseListing(listed.value)
  if (listing.kind !== kind) return null
  // Without a generation nobody can tell whether somebody holds it: its administrator has to.
  if (listing.highest === null || !containsOnlyOurs(listing)) return { kind: 'foreign' }
  const holder = yield* holderOf(site, listing)
  if (holder !== null) return { kind: 'held', lockKind: kind, holder: holder.record }
  return yield* takeMarker(site, markerName(kind), kind, wanted)
}

/** Makes the marker, or the unfinished attempt of somebody else, one's own. */
function* takeMarker(site: Place, marker: string, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | null> {
  const mine = dissolvingName(kind, yield* ask.name())
  const taken = yield* ask.rename(`${site.path}/${marker}`, `${site.path}/${mine}`)
  if (!taken.ok) return isAbsent(taken.code) ? { kind: 'busy' } : { kind: 'failed', ...taken }
  return yield* decide(site, mine, kind, wanted)
}

/** Nobody can acquire the lock while the marker is ours. Does somebody hold it? */
function* decide(site: Place, mine: string, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | null> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const listed = yield* ask.list(site.path)
    if (!listed.ok) return null
    if (!listed.value.includes(mine)) return { kind: 'busy' }
    const listing = parseListing(listed.value)
    const claimable = kind === 'renames' && listing.highest !== null
    // Not a lock of renames: somebody slow may be about to remove the one entry that it has.
    if (kind === wanted && kind === 'links' && listing.highest !== null) return yield* putBack(site, mine, kind, { kind: 'kept' })
    if (!containsOnlyOurs(listing) || (kind === 'links' && listing.highest === null))
      return yield* putBack(site, mine, kind, { kind: 'foreign' })
    const holder = yield* holderOf(site, listing)
    if (holder !== null) return yield* putBack(site, mine, kind, { kind: 'held', lockKind: kind, holder: holder.record })
    if (!claimable) {
      const decided = yield* ask.rename(`${site.path}/${mine}`, `${site.path}/${dissolvedName(yield* ask.name())}`)
      return decided.ok || isAbsent(decided.code) ? null : { kind: 'failed', ...decided }
    }
    const removed = yield* ask.unlink(`${site.path}/${listing.entry}`)
    if (!removed.ok && !isAbsent(removed.code)) return yield* putBack(site, mine, kind, { kind: 'failed', ...removed })
  }
  return { kind: 'busy' }
}

function* putBack(site: Place, mine: string, kind: LockKind, because: Dissolution): Protocol<Dissolution> {
  // Where that fails, somebody else has taken it over, or will.
  yield* ask.rename(`${site.path}/${mine}`, `${site.path}/${markerName(kind)}`)
  return because
}

/** `null`: nobody holds it. */
function* holderOf(site: Place, listing: LockListing): Protocol<{ record: SessionRecord | null } | null> {
  const { directory, path, surroundings } = site
  if (listing.highest === null || listing.free) return null
  const { entry, sessionFile } = listing
  const verdict = yield* judge({ directory, path: `${path}/${entry}`, sessionFile }, surroundings)
  if (verdict.state === 'dead') return null
  return { record: verdict.state === 'alive' ? verdict.record : null }
}

function containsOnlyOurs({ unknown, crowded }: LockListing): boolean {
  const isOurs = (name: string) => dissolvingKind(name) !== null || isDissolvedName(name) || SILLY_RENAMED.test(name)
  return !crowded && unknown.every(isOurs)
}

/** Empties a directory in which nobody will ever hold the lock again, and removes it. */
function* sweep(site: Place, names: string[], marker: string): Protocol<Dissolution | null> {
  const spent = names.filter((name) => isSpentName(name) || (isDissolvedName(name) && name !== marker))
  for (const name of spent) {
    const removed = yield* ask.unlink(`${site.path}/${name}`)
    if (!removed.ok && !isAbsent(removed.code)) return { kind: 'failed', ...removed }
  }
  // What came meanwhile is found by the next look; and only a directory that was seen with nothing else loses its marker.
  if (names.length > 1) return null
  const status = yield* ask.stat(site.path)
  if (!status.ok) return null
  const note = `${site.directory}/${dissolvedNote(status.value.ino, marker)}`
  const out = yield* ask.rename(`${site.path}/${marker}`, note)
  if (!out.ok && !isAbsent(out.code)) return { kind: 'failed', ...out }
  const removed = yield* ask.rmdir(site.path)
  if (removed.ok || isAbsent(removed.code)) {
    yield* ask.unlink(note)
    return { kind: 'gone' }
  }
  // A late acquirer has left something: the marker goes back in, and everything is swept once more.
  yield* ask.rename(note, `${site.path}/${marker}`)
  return isNotEmpty(removed) ? null : { kind: 'failed', ...removed }
}

const isNotEmpty = (removed: Reply<void>) => !removed.ok && (removed.code === 'ENOTEMPTY' || removed.code === 'EEXIST')

/** A directory without a marker is ours only if a note beside it says so: then the marker goes back in. */
function* recall(site: Place, names: string[]): Protocol<Dissolution | null> {
  if (!names.every(isSpentName)) return { kind: 'foreign' }
  const status = yield* ask.stat(site.path)
  if (!status.ok) return null
  if (!site.surroundings.coherent) yield* ownChange(site.directory)
  const beside = yield* ask.list(site.directory)
  if (!beside.ok) return { kind: 'failed', ...beside }
  for (const note of beside.value) {
    const marker = dissolvedOfNote(note, status.value.ino)
    if (marker === null) continue
    const back = yield* ask.rename(`${site.directory}/${note}`, `${site.path}/${marker}`)
    return back.ok || isAbsent(back.code) ? null : { kind: 'failed', ...back }
  }
  return { kind: 'foreign' }
}
