/**
 * Takes a lock directory away, for good, when nobody holds the lock: so that its path can become a lock of another type.
 *
 * Nothing is ever removed or renamed that could be something else by now: whoever is slow must hit nothing. So the
 * directory is emptied where it is, every name that is changed on the way contains a random number and is used once, and
 * the last step, `rmdir`, removes a directory only while it is empty. The steps, for a lock of links:
 *
 * 1. `.links` → `.dissolving-links-<random>`. From now on no acquisition counts, because its second listing does not find
 *    the marker. A look *after* that shows whether one had counted before: then the marker gets its old name back.
 * 2. Otherwise `.dissolving-…` → `.dissolved-<generation>-<random>`: nobody holds the lock, and nobody ever will. No way
 *    leads back. (A claim by rename does not ask for the marker: there it is the one entry that could be claimed which gets
 *    this name, and of those who rename it one succeeds.)
 * 3. The generations are removed. Those of an acquirer who comes late do not count, and are removed as well. So are new lock
 *    directories that are not in their place yet: their numbers may be from before the last generation.
 * 4. `.dissolved-…` → beside the lock, as a note with the directory's inode number: in one step the directory is empty, and
 *    it is known whose empty directory it is. (An empty directory alone would look like a lock of `proper-lockfile`.)
 * 5. `rmdir`, and the note is removed.
 *
 * Whoever finds a directory in one of these states, of whatever type his own lock is, goes on from there: `.dissolving`
 * is taken over by giving it a name of one's own, which makes all further steps of its former owner fail. What a crash
 * leaves: before 4 a directory that the next comer finishes or puts back; after 4 an empty one that the note explains;
 * after `rmdir` a note of a hundred bytes that nobody needs.
 */

import { discardMoved, firstNumber } from './create-lock.js'
import { judge, ownChange } from './judge.js'
import {
  dissolvedName,
  dissolvedNote,
  dissolvedOfNote,
  dissolvingKind,
  dissolvingName,
  isDissolvedName,
  isNewLockName,
  isSpentName,
  type LockKind,
  type LockListing,
  lastGeneration,
  lookName,
  markerName,
  parseListing,
} from './names.js'
import { ask, type Protocol, type Reply } from './operations.js'
import type { SessionRecord } from './record.js'
import { isAbsent } from './doubt.js'
import type { LockView } from './settle.js'

export type Dissolution =
  /** There is no lock directory any more. */
  | { kind: 'gone' }
  /** It is of the wanted kind, and stays. */
  | { kind: 'kept' }
  | { kind: 'held'; lockKind: LockKind; holder: SessionRecord | null }
  /** Somebody else is at work on it: look again later. */
  | { kind: 'busy' }
  /** Nobody holds it, but the server's clock is behind its last generation: what came next would have smaller tokens. */
  | { kind: 'ahead' }
  /** It is not ours, or contains what is not ours. */
  | { kind: 'foreign' }
  | { kind: 'failed'; code: string; error?: unknown }

/** Each round either gets somewhere or shows that somebody else does. */
const ROUNDS_MAX = 8
/** What an NFS client makes of a file that is removed while it is open; it goes away by itself. */
const SILLY_RENAMED = /^\.nfs[0-9a-f]+$/

/** `wanted`: the kind of lock that may stay at this path; `null`: none. */
export function* dissolve(site: LockView, wanted: LockKind | null): Protocol<Dissolution> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const listed = yield* ask.list(site.path)
    if (!listed.ok) return isAbsent(listed.code) ? { kind: 'gone' } : { kind: 'failed', ...listed }
    const outcome = yield* step(site, listed.value, wanted)
    if (outcome !== null) return outcome
  }
  return { kind: 'busy' }
}

/** `null`: look again. */
function* step(site: LockView, names: string[], wanted: LockKind | null): Protocol<Dissolution | null> {
  const { kind } = parseListing(names)
  const dissolved = names.find(isDissolvedName)
  const dissolving = names.find((name) => dissolvingKind(name) !== null)
  const undecided = kind ?? (dissolving === undefined ? null : dissolvingKind(dissolving))
  if (undecided !== null && isLastRenamed(undecided, names)) {
    // Only a marker with a name of its own may be removed.
    if (kind !== null) return yield* takeMarker(site, markerName(kind), kind, wanted)
  } else {
    if (kind !== null) return kind === wanted ? { kind: 'kept' } : yield* begin(site, kind, wanted)
    if (dissolving !== undefined && undecided !== null) return yield* takeMarker(site, dissolving, undecided, wanted)
  }
  return dissolved === undefined ? yield* recall(site, names) : yield* sweep(site, names, dissolved)
}

/**
 * A lock of renames has one entry. If that has become a marker, no way leads back, whatever the other markers say. What else
 * looks like a generation came from a slow process that took the directory for its predecessor, and has a lower number.
 */
function isLastRenamed(kind: LockKind, names: string[]): boolean {
  const highest = parseListing(names).highest ?? -1n
  return kind === 'renames' && names.some((name) => isDissolvedName(name) && lastGeneration(name) >= highest)
}

/** Whoever is seen to hold the lock is not bothered. */
function* begin(site: LockView, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | null> {
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
  return (yield* aheadOfServer(site, listing.highest)) ?? (yield* takeMarker(site, markerName(kind), kind, wanted))
}

/** Makes the marker, or the unfinished attempt of somebody else, one's own. */
function* takeMarker(site: LockView, marker: string, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | null> {
  const mine = dissolvingName(kind, yield* ask.name())
  const taken = yield* ask.rename(`${site.path}/${marker}`, `${site.path}/${mine}`)
  if (!taken.ok) return isAbsent(taken.code) ? { kind: 'busy' } : { kind: 'failed', ...taken }
  return yield* decide(site, mine, kind, wanted)
}

/** Nobody can acquire the lock while the marker is ours. Does somebody hold it? */
function* decide(site: LockView, mine: string, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | null> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const listed = yield* ask.list(site.path)
    if (!listed.ok) return null
    if (!listed.value.includes(mine)) return { kind: 'busy' }
    const listing = parseListing(listed.value)
    const { highest } = listing
    if (isLastRenamed(kind, listed.value)) return null
    if (highest === null || !containsOnlyOurs(listing)) return yield* putBack(site, mine, kind, { kind: 'foreign' })
    // Not a lock of renames: somebody slow may be about to rename the one entry that it has.
    if (kind === wanted && kind === 'links') return yield* putBack(site, mine, kind, { kind: 'kept' })
    const holder = yield* holderOf(site, listing)
    if (holder !== null) return yield* putBack(site, mine, kind, { kind: 'held', lockKind: kind, holder: holder.record })
    const ahead = yield* aheadOfServer(site, highest)
    if (ahead !== null) return yield* putBack(site, mine, kind, ahead)
    const decisive = kind === 'links' ? mine : listing.entry
    const dissolved = dissolvedName(highest, yield* ask.name())
    const decided = yield* ask.rename(`${site.path}/${decisive}`, `${site.path}/${dissolved}`)
    if (decided.ok) return null
    if (!isAbsent(decided.code)) return yield* putBack(site, mine, kind, { kind: 'failed', ...decided })
  }
  return { kind: 'busy' }
}

function* putBack(site: LockView, mine: string, kind: LockKind, because: Dissolution): Protocol<Dissolution> {
  // Where that fails, somebody else has taken it over, or will.
  yield* ask.rename(`${site.path}/${mine}`, `${site.path}/${markerName(kind)}`)
  return because
}

/** `null`: nobody holds it. */
function* holderOf(site: LockView, listing: LockListing): Protocol<{ record: SessionRecord | null } | null> {
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
function* sweep(site: LockView, names: string[], marker: string): Protocol<Dissolution | null> {
  for (const name of names) {
    if (name === marker || !isSpentName(name)) continue
    const removed = yield* ask.unlink(`${site.path}/${name}`)
    if (!removed.ok && !isAbsent(removed.code)) return { kind: 'failed', ...removed }
  }
  // What came meanwhile is found by the next look; and only a directory that was seen with nothing else loses its marker.
  if (names.length > 1) return null
  const obstacle = yield* outnumber(site, lastGeneration(marker))
  return obstacle ?? (yield* remove(site, marker))
}

/** How long, in looks, a file server's clock may stand still. */
const TICK_LOOKS_MAX = 500
/** The coarsest time stamps, and some: a number that is further ahead was given out before the server's clock was set back. */
const TICK_MAX = firstNumber(3000)

/** Will what comes into this place next have higher numbers? Tokens never go back. `null`: it will, or within the clock's next tick. */
function* aheadOfServer(site: LockView, last: bigint): Protocol<Dissolution | null> {
  for (let looks = 0; looks < TICK_LOOKS_MAX; looks++) {
    const path = `${site.directory}/${lookName(yield* ask.name())}`
    const now = yield* ask.create(path, '', 0o600)
    yield* ask.unlink(path)
    if (!now.ok) return { kind: 'failed', ...now }
    const next = firstNumber(now.value.serverMs)
    if (next > last) return null
    if (last - next > TICK_MAX) return { kind: 'ahead' }
  }
  return { kind: 'busy' }
}

/** Makes sure that what comes into this place next has higher numbers. `null`: it will. */
function* outnumber(site: LockView, last: bigint): Protocol<Dissolution | null> {
  // It was decided before, so that the clock has been set back since: there is nothing to be done but to wait.
  const ahead = yield* aheadOfServer(site, last)
  if (ahead !== null) return ahead
  const beside = yield* ask.list(site.directory)
  if (!beside.ok) return { kind: 'failed', ...beside }
  for (const draft of beside.value.filter(isNewLockName)) {
    yield* discardMoved(site.directory, `${site.directory}/${draft}`)
    const left = yield* ask.stat(`${site.directory}/${draft}`)
    if (left.ok) return { kind: 'failed', code: 'EPERM' } // of another user, in a sticky directory
  }
  return null
}

function* remove(site: LockView, marker: string): Protocol<Dissolution | null> {
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
function* recall(site: LockView, names: string[]): Protocol<Dissolution | null> {
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
