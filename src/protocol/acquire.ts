/**
 * One attempt to acquire a link-based lock.
 *
 * A lock is a directory of generations. A process that creates generation n+1 over a free or dead n holds the lock, *if*
 * a listing made afterwards shows n+1 as the highest. A process removes generations only after it has seen a higher one,
 * so the highest never shrinks, and what is the highest after it was created was never there before. A delayed process
 * that re-creates an old name sees a higher one and withdraws. There is no reap step: acquiring over the dead is the
 * takeover, and the server's "already exists" picks the one winner.
 *
 * A file server may list name by name: it reads the names, looks each of them up, and leaves out what is gone by then (Samba, and
 * Linux's nfsd for NFSv4). A higher generation that is released meanwhile changes its name, and is in no such listing. So where
 * others share the file system the process removes what is below before its generation counts. Names are removed in ascending
 * order: while the one below was there none above it had been removed, and n+1, if it was ever used, had left its `n+1.free`,
 * which keeps its name. So that listing would have shown it.
 */

import { assert } from '../assert.js'
import { createLockDirectory } from './create-lock.js'
import { isAbsent, isInDoubt } from './doubt.js'
import { type ForeignThing, whatIsNoDirectory, whatIsWithoutLock } from './foreign.js'
import { freeHalfMade } from './half-made.js'
import { judge, ownChange, type Verdict } from './judge.js'
import { freeName, GENERATION_MAX, type LockListing, parseListing } from './names.js'
import { ask, type Failure, type Protocol } from './operations.js'
import type { SessionRecord } from './record.js'
import type { Session } from './session.js'
import {
  cleanUp,
  freshListing,
  giveBack,
  leftoversIn,
  listing,
  ownerOf,
  removeBelow,
  settle,
  type Standing,
  standing,
} from './settle.js'
import type { Claim, Free, Site, Unsettled } from './site.js'

export type AttemptOutcome =
  /**
   * `below`: names to be removed, in this order, when there is time. `isWaitedFor`: waiters had tickets (nothing is decided by
   * it); `null`: no listing was needed.
   */
  | {
      kind: 'acquired'
      generation: bigint
      entry: string
      below: string[]
      isWaitedFor: boolean | null
      takenFrom: SessionRecord | null
    }
  | { kind: 'busy'; generation: bigint | null; holder: SessionRecord | null; why: string }
  | FailedAttempt
  /** The path is not a lock of this kind. */
  | { kind: 'foreign'; what: ForeignThing }
  /**
   * The session can take no more locks: its lease is over, it has all the links that it may have, its file is gone, or it is
   * in doubt whether it has just taken one. Try with another. `failure`: to be reported where that changes nothing.
   */
  | { kind: 'session-spent'; why: 'lease' | 'links' | 'missing' | 'doubtful'; failure?: FailedAttempt }
  | { kind: 'cancelled' }

/** An error of the file system. */
export interface FailedAttempt {
  kind: 'failed'
  action: 'claim' | 'create' | 'list' | 'remove' | 'settle'
  code: string
  error?: unknown
}

const failed = (
  action: FailedAttempt['action'],
  { code, error }: Failure | { code: string; error?: unknown },
): FailedAttempt => ({ kind: 'failed', action, code, error })

/** How often an inconclusive look is taken again before it is an error. Chosen: each shows that another process got on. */
const LOOKS_MAX = 8

/**
 * `fresh`: the listing must not come from a cache, whatever it costs (for waiters). `seenFree`: a generation that was free when
 * this process last looked, which saves the first listing. It may be as stale as a first listing may.
 */
export function* attempt(site: Site, session: Session, fresh: boolean, seenFree: bigint | null = null): Protocol<AttemptOutcome> {
  const { memory } = site
  if (memory.unsettled !== null) {
    const { path, directory, surroundings } = site
    const settlement = yield* settle({ path, directory, surroundings }, memory.unsettled)
    if (settlement.kind === 'unknown') {
      if (settlement.failure !== null) return failed('settle', settlement.failure)
      // While every process here waits for what is in doubt, none comes to the look that tidies.
      if (yield* cleanUp(site, settlement.leftovers ?? [])) return BEING_CLEANED
      const { generation } = memory.unsettled
      if (settlement.leftovers !== undefined)
        return { kind: 'busy', generation, holder: null, why: 'an earlier operation of this process is not settled yet' }
      // Whose entry it is cannot be told. It is judged by the look, as that of another process would be.
    } else memory.unsettled = null
  }
  const hint = freeByHint(site, seenFree)
  // Of what this process released itself, and what it has seen since, the later one counts.
  const own = memory.known !== null && (hint === null || memory.known >= hint)
  const known = own ? memory.known : hint
  memory.known = null
  if (known !== null) {
    const outcome = yield* claim(site, session, { generation: known, entry: freeName(known), below: [], own, takenFrom: null })
    if (outcome !== 'beaten') return outcome
    if (memory.unsettled !== null) return busyBecauseBeaten(known + 1n)
  }
  const seen = yield* look(site, fresh)
  if (seen.kind !== 'free') return seen
  const outcome = yield* claim(site, session, seen.from)
  return outcome === 'beaten' ? busyBecauseBeaten(seen.from.generation + 1n) : outcome
}

/** Where a claim is confirmed by a listing that may be made name by name, an earlier one tells what must be removed as well. */
function freeByHint({ claim, memory, surroundings }: Site, seenFree: bigint | null): bigint | null {
  const needsListing = claim.isConfirmedByListing && !surroundings.listsAtOnce
  return needsListing || seenFree === null || seenFree < memory.floor ? null : seenFree
}

const busyBecauseBeaten = (generation: bigint): AttemptOutcome => ({
  kind: 'busy',
  generation,
  holder: null,
  why: 'another process was probably faster',
})

/** What a look at the lock directory comes to: a free generation, or an answer that ends the attempt. */
type Sight = { kind: 'free'; from: Free } | AttemptOutcome
/** Another look may tell more. `sight`: what is told where none did. */
interface Inconclusive {
  kind: 'inconclusive'
  sight: AttemptOutcome
}

const inconclusive = (sight: AttemptOutcome): Inconclusive => ({ kind: 'inconclusive', sight })

/** Finds the highest generation and whether it is free. The first look may trust a cache; those that follow it do not. */
function* look(site: Site, freshFromTheStart: boolean): Protocol<Sight> {
  let last: AttemptOutcome = failed('list', { code: 'EVANISHING' })
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    if (!(yield* ask.wanted())) return { kind: 'cancelled' }
    const planted = yield* notADirectory(site)
    if (planted !== null) return planted
    const isFresh = yield* makesListingFresh(site, freshFromTheStart || looks > 0)
    const listed = yield* ask.list(site.path)
    const seen: Sight | Inconclusive = listed.ok
      ? yield* lookAtListing(site, parseListing(listed.value), isFresh)
      : yield* makeWhatIsMissing(site, listed, last)
    if (seen.kind !== 'inconclusive') return seen
    last = seen.sight
  }
  return last
}

/** Can the next listing not come from a cache? `isWanted`: whatever it costs. */
function* makesListingFresh({ path, memory, surroundings }: Site, isWanted: boolean): Protocol<boolean> {
  if (surroundings.coherent) return true
  // Not in what may be another program's: a file in its empty directory would keep it from letting go of its lock.
  return isWanted && memory.isMarked && (yield* ownChange(path))
}

/** There was no listing: where nothing is there, the lock directory is made. `before`: what the look before this one came to. */
function* makeWhatIsMissing(site: Site, listed: Failure, before: AttemptOutcome): Protocol<Sight | Inconclusive> {
  site.memory.isDirectory = false // the next look asks what is there: it may be anything, and so may a part of its path
  if (listed.code === 'ENOTDIR') return inconclusive(failed('list', listed))
  if (listed.code !== 'ENOENT') return failed('list', listed)
  const failure = yield* createLockDirectory(site)
  if (failure === 'moved') return { kind: 'session-spent', why: 'missing' }
  if (failure === null) return inconclusive(before)
  // What is in doubt is tried once more, since a reply is lost once: an error that persists is reported as itself.
  const persists = before.kind === 'failed' && before.action === 'create'
  const outcome = failed('create', failure)
  return persists || !isInDoubt(failure.code, site.surroundings) ? outcome : inconclusive(outcome)
}

function* lookAtListing(site: Site, listing: LockListing, isFresh: boolean): Protocol<Sight | Inconclusive> {
  site.memory.isMarked = listing.kind !== null
  if (listing.crowded && listing.kind === site.claim.kind) return yield* tidy(site, listing, isFresh)
  const doubtful = doubt(site, listing)
  if (doubtful !== null) return site.surroundings.coherent ? doubtful : inconclusive(doubtful)
  const { highest: generation, entry, below, sessionFile } = listing
  assert(generation !== null, 'a generation in a listing of which nothing is in doubt', generation)
  site.memory.floor = generation
  if (listing.free) return { kind: 'free', from: { generation, entry, below, own: false, takenFrom: null } }
  const holder = { directory: site.directory, path: `${site.path}/${entry}`, sessionFile }
  const verdict = yield* judge(holder, site.surroundings)
  if (verdict.state === 'dead') return { kind: 'free', from: { generation, entry, below, own: false, takenFrom: verdict.record } }
  const seen = busy(generation, verdict)
  if (verdict.state === 'alive' && verdict.isUnfinished && (yield* freeHalfMade(site, listing))) return inconclusive(seen)
  // A listing from a cache may show a holder that is long gone, and go on doing so for good.
  return verdict.state === 'alive' && isFresh ? seen : inconclusive(seen)
}

/** A lock directory with too many names is listed in pieces, which proves nothing. */
function* tidy(site: Site, listing: LockListing, isFresh: boolean): Protocol<AttemptOutcome | Inconclusive> {
  if (yield* cleanUp(site, leftoversIn(listing))) return inconclusive(BEING_CLEANED)
  const crowded = failed('list', { code: 'ECROWDED' })
  return isFresh && !isCrowdOfWaiters(listing) ? crowded : inconclusive(crowded)
}

/** A listing would follow a symlink in the place of the lock. Asked once in the life of a process. */
function* notADirectory({ memory, path }: Site): Protocol<AttemptOutcome | null> {
  if (memory.isDirectory) return null
  const status = yield* ask.stat(path)
  if (!status.ok) return null // the listing will say why
  memory.isDirectory = status.value.type === 'directory'
  if (memory.isDirectory) return null
  return { kind: 'foreign', what: whatIsNoDirectory(status.value) }
}

function busy(generation: bigint, verdict: Verdict): AttemptOutcome {
  if (verdict.state === 'alive') return { kind: 'busy', generation, holder: verdict.record, why: verdict.why }
  return { kind: 'busy', generation, holder: null, why: 'it is changing hands' }
}

const BEING_CLEANED: AttemptOutcome = {
  kind: 'busy',
  generation: null,
  holder: null,
  why: 'its lock directory is full of old entries, which are being removed',
}

/** Most of it goes away by itself, in a moment. */
const isCrowdOfWaiters = ({ looks, below, unknown }: LockListing) => looks.length > below.length + unknown.length

/**
 * What is wrong with a listing that was made in one piece, or `null`: marked, with a generation that is not below what
 * was seen before.
 */
function doubt(site: Site, listing: LockListing): AttemptOutcome | null {
  if (listing.kind !== site.claim.kind) return { kind: 'foreign', what: whatIsWithoutLock(listing) }
  if (listing.highest === null) return { kind: 'foreign', what: 'empty' }
  if (listing.highest > GENERATION_MAX) return { kind: 'foreign', what: 'exhausted' }
  return listing.highest < site.memory.floor ? { kind: 'foreign', what: 'backwards' } : null
}

/**
 * Claims the generation after a free one, and makes sure that it counts. `beaten`: another process was faster, or
 * something is in doubt: look again.
 */
export function* claim(site: Site, session: Session, from: Free): Protocol<AttemptOutcome | 'beaten'> {
  if ((yield* ask.lease(session.record.id)) <= 0) return { kind: 'session-spent', why: 'lease' }
  if (!(yield* ask.wanted())) return { kind: 'cancelled' }
  const mine = from.generation + 1n
  const unsettled = { generation: mine, sessionId: session.record.id }
  const placed = yield* site.claim.place(site, session, from)
  if (!placed.ok) {
    const refusal = isInDoubt(placed.code, site.surroundings)
      ? yield* doubted(site, session, from, placed)
      : yield* refused(site, session, placed)
    if (refusal !== 'ours') return refusal
  }
  site.memory.floor = mine
  const counted = yield* confirm(site, session, from, placed.ok)
  if (counted.kind !== 'acquired') yield* giveBack(site, site.claim.entry(mine, session), unsettled)
  return counted.kind === 'beaten' ? 'beaten' : counted
}

/**
 * The claim failed, and it is in doubt whether it was placed: lost the race, or lost the reply? This generation was first
 * tried just now, so if it is ours, it is from now.
 */
function* doubted(site: Site, session: Session, from: Free, failure: Failure): Protocol<AttemptOutcome | 'beaten' | 'ours'> {
  const unsettled = { generation: from.generation + 1n, sessionId: session.record.id }
  const isThere = failure.code === 'EEXIST' && site.claim.isConfirmedByListing
  const found = isThere ? yield* standingOfPresent(site, session, unsettled) : yield* standing(site, unsettled)
  if (found.kind === 'held') return 'ours'
  if (found.kind !== 'absent' && found.kind !== 'unknown') return 'beaten'
  // A rename whose source is gone has lost the race, and will not happen any more. A listing without any entry does not tell that
  // where the one that is there may have changed its name meanwhile.
  const isTold = found.kind === 'absent' && (found.highest !== '' || site.surroundings.listsAtOnce)
  if (isTold && site.claim.movesEntry && found.highest !== from.entry) return 'beaten'
  // It may still happen. A session of which that is true takes no new locks; the entry is settled for as long as it lives.
  site.memory.unsettled = unsettled
  if (failure.code === 'ENOENT') {
    const file = yield* ask.stat(session.path)
    if (!file.ok && isAbsent(file.code)) return { kind: 'session-spent', why: 'missing' }
  }
  return isThere ? 'beaten' : { kind: 'session-spent', why: 'doubtful', failure: failed('claim', failure) }
}

/** The server says that the entry is there: then whose it is stands in it, and no listing is needed. */
function* standingOfPresent(site: Site, session: Session, { generation }: Unsettled): Protocol<Standing> {
  site.memory.floor = generation
  const entry = site.claim.entry(generation, session)
  const owner = yield* ownerOf(site, { entry, sessionFile: null })
  if (owner.kind === 'unknown') return { kind: 'unknown', failure: null }
  const isOurs = owner.kind === 'session' && owner.sessionId === session.record.id
  return isOurs ? { kind: 'held', entry } : { kind: 'of-another' }
}

/**
 * The session file takes no more names, and another one does. GlusterFS keeps each name of a file as an attribute of it, and
 * forgets to remove one now and then: with 45 of them a brick on ext4 has no room for the next (`ENOSPC`, version 10.3).
 */
const takesNoMoreNames = ({ name }: Claim, { code }: Failure) => code === 'EMLINK' || (code === 'ENOSPC' && name === 'hard link')

/** The claim was refused: nothing was done. */
function* refused(site: Site, session: Session, failure: Failure): Protocol<AttemptOutcome | 'beaten'> {
  if (takesNoMoreNames(site.claim, failure)) return { kind: 'session-spent', why: 'links', failure: failed('claim', failure) }
  if (isAbsent(failure.code)) {
    const file = yield* ask.stat(session.path)
    // With the session file in its place, it is the lock directory that has just become something else.
    return file.ok ? 'beaten' : { kind: 'session-spent', why: 'missing' }
  }
  // A lock directory that is immutable refuses every name, not just links.
  const refusesAll = failure.code === 'EPERM' && !site.claim.movesEntry && !(yield* ownChange(site.path))
  return failed(refusesAll ? 'create' : 'claim', failure)
}

/**
 * The claim is placed. Does it count? If it does not, it has to be given back. `changedNow`: by a reply that says so,
 * which makes this node's next listing fresh.
 */
function* confirm(site: Site, session: Session, from: Free, changedNow: boolean): Protocol<AttemptOutcome | { kind: 'beaten' }> {
  const generation = from.generation + 1n
  let below: string[] = []
  let isWaitedFor: boolean | null = null
  if (site.claim.isConfirmedByListing) {
    const listed = changedNow ? yield* listing(site) : yield* freshListing(site)
    // Where the lock directory itself is gone, its type was changed, and nothing in it counts.
    if (!listed.ok) return isAbsent(listed.code) ? { kind: 'beaten' } : failed('list', listed)
    const seen = listed.value
    const counts = seen.kind === site.claim.kind && !seen.crowded && seen.highest === generation && !seen.free
    if (!counts) return { kind: 'beaten' }
    below = seen.below
    isWaitedFor = seen.isWaitedFor
    if (!site.surroundings.listsAtOnce) {
      const removed = yield* removeBelow(site, from, below)
      if (removed === 'gone') return { kind: 'beaten' }
      if (removed !== 'removed') return failed('remove', removed)
      below = []
    }
  }
  if (site.claim.verify !== undefined && !(yield* site.claim.verify(session, from)))
    return { kind: 'session-spent', why: 'missing' }
  // The last questions before it is ours.
  if ((yield* ask.lease(session.record.id)) <= 0) return { kind: 'session-spent', why: 'lease' }
  if (!(yield* ask.wanted())) return { kind: 'cancelled' }
  const { takenFrom } = from
  const entry = site.claim.entry(generation, session)
  return { kind: 'acquired', generation, entry, below, isWaitedFor, takenFrom }
}
