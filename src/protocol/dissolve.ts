/**
 * Takes a lock directory away when no process holds the lock, so that its path can become a lock of another type.
 *
 * Nothing is ever removed or renamed that could be something else by now: a slow process must hit nothing. So the
 * directory is emptied where it is, every name that is changed on the way contains a random number and is used once, and
 * the last step, `rmdir`, removes a directory only while it is empty. The steps, for a lock of links:
 *
 * 1. `.links` → `.dissolving-links-<random>`. From now on no acquisition counts, because its second listing does not find
 *    the marker. A look *after* that shows whether one had counted before, and whether anything lies there that is not ours:
 *    then the marker gets its old name back.
 * 2. Otherwise `.dissolving-…` → `.dissolved-links-<generation>-<random>`: no process holds the lock. (A claim by rename does
 *    not ask for the marker: there it is the one entry that could be claimed which gets this name, and of all renames of it
 *    one succeeds.)
 * 3. The generations are removed, and the directory of the waiters' tickets is moved out and discarded (`wait-room.ts`). The
 *    generations of an acquirer that comes late do not count, and are removed as well. So are new lock directories that are
 *    not in their place yet: their numbers may be from before the last generation.
 * 4. `.dissolved-…` → beside the lock, as a note with the directory's inode number: in one step the directory is empty, and
 *    it is known whose empty directory it is. (An empty directory alone would look like a lock of `proper-lockfile`.)
 * 5. `rmdir`, and the note is removed. Where the process dies in between, the file system may give the inode number to the next
 *    directory there, the lock of another program. So a note is not believed about a directory that is younger (`note.ts`).
 *
 * What is in the way of 3 to 5 (a file that an NFS client keeps, an entry that this user may not remove) is named to the
 * caller, and the directory becomes a free lock of its kind again:
 *
 * 6. `.dissolved-…` → `.reviving-links-<generation + 2>-<random>`. All slow steps of 3 to 5 fail from now on, except that
 *    they remove names which they have seen, and all of those are below that generation: an acquirer that came late tried
 *    the generation after the last one. So the one that is free now was never seen, and never handed out.
 * 7. `<generation + 2>.free` is created, then `.reviving-…` → `.links`. (For a claim by rename the marker is put in place
 *    first, and `.reviving-…` becomes the free entry.)
 *
 * A process that finds a directory in one of these states, whatever lock type it wants, goes on from there: `.dissolving` is
 * taken over by giving it a name of one's own, which makes all further steps of its former owner fail. What a crash leaves:
 * before 4 a directory that the next process finishes or puts back; after 4 an empty one that the note explains; after
 * `rmdir` a note of a hundred bytes that nothing depends on.
 */

import { assert } from '../assert.js'
import { judge, ownChange } from './judge.js'
import {
  dissolvedKind,
  dissolvedName,
  dissolvedNote,
  dissolvingKind,
  dissolvingName,
  freeName,
  GENERATION_MAX,
  halfWayKind,
  isDissolvedName,
  isSillyRenamed,
  isSpentName,
  type LockKind,
  type LockListing,
  lastGeneration,
  lookName,
  MARKER_TEXT,
  markerName,
  parseListing,
  parseReviving,
  revivingName,
  WAIT_ROOM,
} from './names.js'
import { ask, type FileStatus, type Protocol, type Reply } from './operations.js'
import type { SessionRecord } from './record.js'
import { noteAbout } from './note.js'
import { isAbsent, isInDoubt } from './doubt.js'
import { aheadOfServer, outnumber } from './succession.js'
import { cleanUp, type LockView } from './settle.js'
import { moveOutWaitRoom } from './wait-room.js'

export type Dissolution =
  /** There is no lock directory any more. */
  | { kind: 'gone' }
  /** It is of the wanted kind, and stays. */
  | { kind: 'kept' }
  | { kind: 'held'; lockKind: LockKind; holder: SessionRecord | null }
  /** Another process is at work on it: look again later. */
  | { kind: 'busy' }
  /** No process holds it, but the server's clock is behind its last generation: what came next would have smaller tokens. */
  | { kind: 'ahead' }
  /** It is not a lock of ours. */
  | { kind: 'foreign' }
  /** No process holds it, and it stays: these names in it are not ours, or may not be removed. */
  | { kind: 'obstructed'; names: string[] }
  | { kind: 'failed'; code: string; error?: unknown }

/** The directory has changed, by this process or by another one. */
const LOOK_AGAIN = 'look again'
type LookAgain = typeof LOOK_AGAIN

/** Chosen: each round either gets somewhere or shows that another process does. */
const ROUNDS_MAX = 8

/** `wanted`: the kind of lock that may stay at this path; `null`: none. */
export function* dissolve(site: LockView, wanted: LockKind | null): Protocol<Dissolution> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const listed = yield* ask.list(site.path)
    if (!listed.ok) return isAbsent(listed.code) ? { kind: 'gone' } : { kind: 'failed', ...listed }
    const outcome = yield* step(site, listed.value, wanted)
    if (outcome !== LOOK_AGAIN) return outcome
  }
  return { kind: 'busy' }
}

function* step(site: LockView, names: string[], wanted: LockKind | null): Protocol<Dissolution | LookAgain> {
  const reviving = names.find((name) => parseReviving(name) !== null)
  if (reviving !== undefined) return yield* revive(site, reviving)
  const { kind } = parseListing(names)
  const dissolved = lastDissolved(names)
  const dissolving = names.find((name) => dissolvingKind(name) !== null)
  const undecided = kind ?? (dissolving === undefined ? null : dissolvingKind(dissolving))
  if (undecided !== null && isLastRenamed(undecided, names)) {
    // Only a marker with a name of its own may be removed.
    if (kind !== null) return yield* takeMarker(site, markerName(kind), kind, wanted)
  } else {
    if (kind !== null) return kind === wanted ? { kind: 'kept' } : yield* begin(site, kind, wanted)
    if (dissolving !== undefined && undecided !== null) return yield* takeMarker(site, dissolving, undecided, wanted)
  }
  if (dissolved === undefined) return yield* recall(site, names)
  const outcome = yield* sweep(site, names, dissolved)
  if (outcome === LOOK_AGAIN || !isForGood(outcome, site)) return outcome
  const isUndone = yield* undo(site, dissolved)
  return isUndone && dissolvedKind(dissolved) === wanted ? LOOK_AGAIN : outcome
}

/** It is known what is in the way, and another look would not change that. */
function isForGood(outcome: Dissolution, { surroundings }: LockView): boolean {
  if (outcome.kind === 'failed') return !isInDoubt(outcome.code, surroundings)
  return outcome.kind === 'obstructed' || outcome.kind === 'ahead'
}

/** A slow process may have moved the marker of an earlier lock into this one: it tells of a lower generation. */
function lastDissolved(names: readonly string[]): string | undefined {
  return names
    .filter(isDissolvedName)
    .reduce<string | undefined>(
      (last, name) => (last === undefined || lastGeneration(name) > lastGeneration(last) ? name : last),
      undefined,
    )
}

/**
 * A lock of renames has one entry. If that has become a marker, no way leads back, whatever the other markers say. What else
 * looks like a generation came from a slow process that took the directory for its predecessor, and has a lower number.
 */
function isLastRenamed(kind: LockKind, names: string[]): boolean {
  const highest = parseListing(names).highest ?? -1n
  return kind === 'renames' && names.some((name) => isDissolvedName(name) && lastGeneration(name) >= highest)
}

/** A process that is seen to hold the lock is not bothered. */
function* begin(site: LockView, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | LookAgain> {
  // An NFS client may go on showing a holder that is long gone.
  if (!site.surroundings.coherent) yield* ownChange(site.path)
  const listed = yield* ask.list(site.path)
  if (!listed.ok) return LOOK_AGAIN
  const listing = parseListing(listed.value)
  if (listing.kind !== kind) return LOOK_AGAIN
  // No user of the lock tidies one of another kind: traces of waiters that died or lost a reply would keep it for ever.
  if (listing.crowded && (yield* cleanUp(site, listing.looks))) return LOOK_AGAIN
  // Without a generation no process can tell whether the lock is held: its administrator has to.
  if (listing.highest === null || listing.crowded) return { kind: 'foreign' }
  const obstacles = obstaclesIn(listing)
  if (obstacles.length > 0) return { kind: 'obstructed', names: obstacles }
  const holder = yield* holderOf(site, listing)
  if (holder !== null) return { kind: 'held', lockKind: kind, holder: holder.record }
  return (yield* aheadOfServer(site, listing.highest)) ?? (yield* takeMarker(site, markerName(kind), kind, wanted))
}

/** Makes the marker, or the unfinished attempt of another process, this process's own. */
function* takeMarker(site: LockView, marker: string, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | LookAgain> {
  const mine = dissolvingName(kind, yield* ask.name())
  const taken = yield* ask.rename(`${site.path}/${marker}`, `${site.path}/${mine}`)
  if (!taken.ok) return isAbsent(taken.code) ? { kind: 'busy' } : { kind: 'failed', ...taken }
  return yield* decide(site, mine, kind, wanted)
}

/** No process can acquire the lock while the marker is ours. Does a process hold it? */
function* decide(site: LockView, mine: string, kind: LockKind, wanted: LockKind | null): Protocol<Dissolution | LookAgain> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const listed = yield* ask.list(site.path)
    if (!listed.ok) return LOOK_AGAIN
    if (!listed.value.includes(mine)) return { kind: 'busy' }
    const listing = parseListing(listed.value)
    const { highest } = listing
    if (isLastRenamed(kind, listed.value)) return LOOK_AGAIN
    if (highest === null || listing.crowded) return yield* putBack(site, mine, kind, { kind: 'foreign' })
    const obstacles = obstaclesIn(listing)
    if (obstacles.length > 0)
      return yield* putBack(site, mine, kind, kind === wanted ? { kind: 'kept' } : { kind: 'obstructed', names: obstacles })
    // Not a lock of renames: a slow process may be about to rename the one entry that it has.
    if (kind === wanted && kind === 'links') return yield* putBack(site, mine, kind, { kind: 'kept' })
    // A holder that releases it just now, and would take it away, finds our marker in its way: the next look is for it too.
    const holder = yield* holderOf(site, listing)
    if (holder !== null) return yield* putBack(site, mine, kind, LOOK_AGAIN)
    const ahead = yield* aheadOfServer(site, highest)
    if (ahead !== null) return yield* putBack(site, mine, kind, ahead)
    const decisive = kind === 'links' ? mine : listing.entry
    const dissolved = dissolvedName(kind, highest, yield* ask.name())
    const decided = yield* ask.rename(`${site.path}/${decisive}`, `${site.path}/${dissolved}`)
    if (decided.ok) return LOOK_AGAIN
    if (!isAbsent(decided.code)) return yield* putBack(site, mine, kind, { kind: 'failed', ...decided })
  }
  return { kind: 'busy' }
}

function* putBack<Outcome>(site: LockView, mine: string, kind: LockKind, because: Outcome): Protocol<Outcome> {
  // Where that fails, another process has taken it over, or will.
  yield* ask.rename(`${site.path}/${mine}`, `${site.path}/${markerName(kind)}`)
  return because
}

/** `null`: no process holds it. */
function* holderOf(site: LockView, listing: LockListing): Protocol<{ record: SessionRecord | null } | null> {
  const { directory, path, surroundings } = site
  if (listing.highest === null || listing.free) return null
  const { entry, sessionFile } = listing
  const verdict = yield* judge({ directory, path: `${path}/${entry}`, sessionFile }, surroundings)
  if (verdict.state === 'dead') return null
  return { record: verdict.state === 'alive' ? verdict.record : null }
}

/** A directory that contains more than what is ours cannot be removed. */
const obstaclesIn = ({ unknown }: LockListing): string[] => unknown.filter((name) => halfWayKind(name) === null)

/** So many names tell what is in the way. */
const OBSTACLES_MAX = 8
/** In one look; others may put any number into it. */
const SWEPT_AT_ONCE_MAX = 256

/** Empties a directory whose lock no process holds, and removes it. */
function* sweep(site: LockView, names: string[], marker: string): Protocol<Dissolution | LookAgain> {
  const obstacles = names.filter((name) => !isSpentName(name) && name !== WAIT_ROOM).slice(0, OBSTACLES_MAX)
  if (names.includes(WAIT_ROOM) && !(yield* moveOutWaitRoom(site))) obstacles.push(WAIT_ROOM)
  for (const name of names.slice(0, SWEPT_AT_ONCE_MAX)) {
    if (name === marker || !isSpentName(name)) continue
    if (obstacles.length >= OBSTACLES_MAX) break
    const removed = yield* ask.unlink(`${site.path}/${name}`)
    if (removed.ok || isAbsent(removed.code)) continue
    if (isInDoubt(removed.code, site.surroundings)) return { kind: 'failed', ...removed }
    obstacles.push(name)
  }
  if (obstacles.length > 0) return { kind: 'obstructed', names: obstacles }
  // What came meanwhile is found by the next look; and only a directory that was seen with nothing else loses its marker.
  if (names.length > 1) return LOOK_AGAIN
  const obstacle = yield* outnumber(site, lastGeneration(marker))
  return obstacle ?? (yield* remove(site, marker))
}

/** A slow acquirer may have tried the generation after the last one, and no further one. */
const REVIVED_ABOVE_LAST = 2n

/**
 * Begins to make a free lock again of a directory that cannot be removed. `false`: another process is ahead of us, or
 * it is refused.
 */
function* undo(site: LockView, marker: string): Protocol<boolean> {
  const kind = dissolvedKind(marker)
  const free = lastGeneration(marker) + REVIVED_ABOVE_LAST
  assert(kind !== null, 'the marker of a dissolved lock', marker)
  if (free > GENERATION_MAX) return false
  const reviving = revivingName(kind, free, yield* ask.name())
  if (!(yield* ask.rename(`${site.path}/${marker}`, `${site.path}/${reviving}`)).ok) return false
  return (yield* revive(site, reviving)) === LOOK_AGAIN
}

/** Goes on from there, whichever process has begun it. It is looked at again, unless it failed. */
function* revive(site: LockView, reviving: string): Protocol<Dissolution | LookAgain> {
  const parsed = parseReviving(reviving)
  assert(parsed !== null, 'the marker of a lock that is being revived', reviving)
  const [marker, free] = [`${site.path}/${markerName(parsed.kind)}`, `${site.path}/${freeName(parsed.free)}`]
  // The name that is used once goes last: a process that was overtaken fails there.
  const isLinks = parsed.kind === 'links'
  const first = isLinks ? yield* putFree(free) : yield* putMarker(site, reviving, marker)
  if (first !== 'is there') return first
  const revived = yield* ask.rename(`${site.path}/${reviving}`, isLinks ? marker : free)
  return revived.ok || isAbsent(revived.code) ? LOOK_AGAIN : { kind: 'failed', ...revived }
}

/** Where a slow process creates it again, it lies below what is the highest generation by then. */
function* putFree(path: string): Protocol<Dissolution | LookAgain | 'is there'> {
  const created = yield* ask.create(path, '', 0o644)
  if (created.ok || created.code === 'EEXIST') return 'is there'
  return isAbsent(created.code) ? LOOK_AGAIN : { kind: 'failed', ...created }
}

/**
 * By way of a name that is used once, and only while the lock was seen in this state after that: so a slow process marks no
 * other directory.
 */
function* putMarker(site: LockView, reviving: string, marker: string): Protocol<Dissolution | LookAgain | 'is there'> {
  const draft = `${site.path}/${lookName(yield* ask.name())}`
  const created = yield* ask.create(draft, MARKER_TEXT, 0o644)
  if (!created.ok) return isAbsent(created.code) ? LOOK_AGAIN : { kind: 'failed', ...created }
  const listed = yield* ask.list(site.path)
  if (!listed.ok || !listed.value.includes(reviving)) {
    yield* ask.unlink(draft)
    return LOOK_AGAIN
  }
  const put = yield* ask.rename(draft, marker)
  if (put.ok) return 'is there'
  return isAbsent(put.code) ? LOOK_AGAIN : { kind: 'failed', ...put }
}

function* remove(site: LockView, marker: string): Protocol<Dissolution | LookAgain> {
  const status = yield* ask.stat(site.path)
  if (!status.ok) return LOOK_AGAIN
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
  return isNotEmpty(removed) ? LOOK_AGAIN : { kind: 'failed', ...removed }
}

const isNotEmpty = (removed: Reply<void>) => !removed.ok && (removed.code === 'ENOTEMPTY' || removed.code === 'EEXIST')

/** A directory without a marker is ours only if a note beside it says so: then the marker goes back in. */
function* recall(site: LockView, names: string[]): Protocol<Dissolution | LookAgain> {
  if (!names.every((name) => isSpentName(name) || isSillyRenamed(name) || name === WAIT_ROOM)) return { kind: 'foreign' }
  const status = yield* ask.stat(site.path)
  if (!status.ok) return LOOK_AGAIN
  if (!site.surroundings.coherent) yield* ownChange(site.directory)
  const found = yield* noteAbout(status.value, site.directory)
  if (!found.ok) return isAbsent(found.code) ? LOOK_AGAIN : { kind: 'failed', ...found }
  if (found.value !== null) {
    const { note, marker } = found.value
    const back = yield* ask.rename(`${site.directory}/${note}`, `${site.path}/${marker}`)
    return back.ok || isAbsent(back.code) ? LOOK_AGAIN : { kind: 'failed', ...back }
  }
  return (yield* isAsBefore(site, status.value, names)) ? { kind: 'foreign' } : LOOK_AGAIN
}

/** No process has finished between two looks, or put back, what it was doing there. */
function* isAsBefore({ path }: LockView, before: FileStatus, names: readonly string[]): Protocol<boolean> {
  const status = yield* ask.stat(path)
  if (!status.ok || status.value.ino !== before.ino) return false
  const listed = yield* ask.list(path)
  return listed.ok && listed.value.length === names.length && listed.value.every((name) => names.includes(name))
}
