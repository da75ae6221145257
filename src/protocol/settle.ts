/** Giving a generation back, and finding out about operations whose outcome is unknown. */

import { isAbsent, isInDoubt } from './doubt.js'
import { changeOfOwn, readRecord } from './judge.js'
import {
  ascending,
  freeName,
  isDissolvedName,
  lastGeneration,
  type LockListing,
  parseEntry,
  parseListing,
  parseSessionName,
  WAIT_ROOM,
} from './names.js'
import { ask, type Failure, type Protocol, type Reply } from './operations.js'
import { decodeRecord } from './record.js'
import type { Free, LockMemory, Site, Surroundings, Unsettled } from './site.js'

/** What it takes to look at a lock. */
export type LockView = Pick<Site, 'path' | 'directory' | 'surroundings'> & {
  /** The device that its directory is on. Absent where what is settled with the heartbeats decides in the end. */
  readonly dev?: number
  /** Absent where the lock is known to be one of ours. */
  readonly memory?: Pick<LockMemory, 'isMarked'>
}

/** A listing that this node cannot have had in a cache. */
export function* freshListing(view: LockView): Protocol<Reply<LockListing>> {
  if (view.surroundings.coherent) return yield* listing(view)
  if (view.memory?.isMarked === false) {
    // A file of ours in the empty directory of another library would keep it from letting go of its lock.
    const first = yield* ask.list(view.path)
    if (!first.ok) return first
    if (first.value.every((name) => name === WAIT_ROOM)) return { ok: true, value: parseListing([]) }
  }
  const changed = yield* changeOfOwn(view.path)
  const listed = yield* listing(view)
  // Where the lock directory itself is gone there is nothing to change in it. Only a listing tells that.
  if (changed.ok || !listed.ok) return listed
  return isAbsent(changed.code) ? { ok: false, code: 'EIO', error: changed.error } : changed
}

/** A listing as this node has it: fresh after a change of its own, perhaps from a cache otherwise. */
export function* listing({ path }: LockView): Protocol<Reply<LockListing>> {
  const listed = yield* ask.list(path)
  return listed.ok ? { ok: true, value: parseListing(listed.value) } : listed
}

/** How a generation of ours stands, by a look at the lock directory after an operation whose outcome is unknown. */
export type Standing =
  /** It is the highest, and our session holds it. */
  | { kind: 'held'; entry: string }
  /** It is the highest, and was released. */
  | { kind: 'free' }
  /** It is the highest, and its session has ended, so that no process holds it. */
  | { kind: 'ended' }
  /** It is the highest, and another session holds it. */
  | { kind: 'of-another' }
  /** There is a higher one. `isFree`: and no process holds that. */
  | { kind: 'surpassed'; isFree: boolean }
  /** It is not there, but an operation that is still under way could bring it. `highest`: the entry that is there. */
  | { kind: 'absent'; highest: string }
  /** There is no lock directory any more, or one in which no process will ever hold the lock again. */
  | { kind: 'no-lock' }
  /**
   * It could not be told. `failure`: why not, where the file system said so. `leftovers`: names in the way of a listing that
   * counts, to be removed before it is asked again.
   */
  | { kind: 'unknown'; failure: Failure | null; leftovers?: readonly string[] }

export function* standing(view: LockView, unsettled: Unsettled): Protocol<Standing> {
  const seen = yield* seenStanding(view, unsettled)
  if (seen.kind === 'held' || seen.kind === 'unknown' || view.dev === undefined) return seen
  // Where the share is not mounted just now that was the disk below it, and the entry comes back with the share.
  const here = yield* ask.stat(view.directory)
  return here.ok && here.value.dev === view.dev ? seen : { kind: 'unknown', failure: here.ok ? null : here }
}

function* seenStanding(view: LockView, { generation, sessionId }: Unsettled): Protocol<Standing> {
  const listed = yield* freshListing(view)
  if (!listed.ok) return isAbsent(listed.code) ? { kind: 'no-lock' } : { kind: 'unknown', failure: listed }
  const { highest, free, crowded, entry } = listed.value
  if (isDissolved(listed.value)) return { kind: 'no-lock' }
  if (crowded) return { kind: 'unknown', failure: null, leftovers: leftoversIn(listed.value) }
  // Emptied by a process that dissolved it, or by hand.
  if (highest === null) return { kind: 'absent', highest: entry }
  if (highest > generation) return { kind: 'surpassed', isFree: free }
  if (highest < generation) return { kind: 'absent', highest: entry }
  if (free) return { kind: 'free' }
  const owner = yield* ownerOf(view, listed.value)
  switch (owner.kind) {
    case 'ended':
      return { kind: 'ended' }
    case 'unknown':
      return { kind: 'unknown', failure: null }
    case 'session':
      return owner.sessionId === sessionId ? { kind: 'held', entry } : { kind: 'of-another' }
  }
}

/** From the moment in which it gets this marker no process will hold the lock again; see `dissolve.ts`. */
function isDissolved({ kind, highest, unknown }: LockListing): boolean {
  if (kind === 'links') return false // the marker of a former directory, put back by a slow process
  const isLast = (name: string) => isDissolvedName(name) && (kind === null || lastGeneration(name) >= (highest ?? 0n))
  return unknown.some(isLast)
}

/**
 * `settled`: the generation is not held by that session, and will not be. `absent`: it is not there, but an operation
 * that is still under way could bring it. `unknown`: it could not be told, or not be given back.
 */
export type Settlement = { kind: 'settled' | 'absent' } | Extract<Standing, { kind: 'unknown' }>

/** Makes sure that an entry of ours is not held any more. Only ever touches entries of that very session. */
export function* settle(view: LockView, unsettled: Unsettled): Protocol<Settlement> {
  const found = yield* standing(view, unsettled)
  switch (found.kind) {
    case 'unknown':
      return found
    case 'absent':
      return { kind: 'absent' }
    case 'held': {
      const renamed = yield* rename(view, found.entry, unsettled.generation)
      return renamed.ok ? { kind: 'settled' } : { kind: 'unknown', failure: renamed }
    }
    default:
      return { kind: 'settled' }
  }
}

/** One of several locks of which something is in doubt. */
export interface UnsettledLock {
  readonly view: LockView
  readonly unsettled: Unsettled
  /** Since when, on our own clock, each look at it was in vain; `null`: the last one was not. */
  inVainSinceMs: number | null
}

/**
 * At the heartbeats, for as long as its session lives: one lock of which something is in doubt is looked at again. `overdue`: for
 * a whole timeout-interval it could not be told how it stands, or not be given back. Then its session takes no more locks: it
 * ends with the last one that it holds, and with it ends what it may hold unknowingly. It is not ended at once, because that
 * would take all other locks of the directory from their holders, for what another user may have put into this one.
 */
export function* settleAgain(lock: UnsettledLock, timeoutIntervalMs: number): Protocol<'settled' | 'in doubt' | 'overdue'> {
  const { kind } = yield* settle(lock.view, lock.unsettled)
  if (kind === 'settled') return kind
  const { ownMs } = yield* ask.clock()
  lock.inVainSinceMs = kind === 'absent' ? null : (lock.inVainSinceMs ?? ownMs)
  return lock.inVainSinceMs !== null && ownMs - lock.inVainSinceMs >= timeoutIntervalMs ? 'overdue' : 'in doubt'
}

/** Which session holds the highest generation. `ended`: none does any more. */
export type Owner = { kind: 'session'; sessionId: string } | { kind: 'ended' } | { kind: 'unknown' }

export function* ownerOf(
  { path, directory, surroundings }: LockView,
  { entry, sessionFile }: Pick<LockListing, 'entry' | 'sessionFile'>,
): Protocol<Owner> {
  if (sessionFile !== null) return ownerWithId(parseSessionName(sessionFile)?.id)
  const found = yield* readRecord({ directory, path: `${path}/${entry}`, sessionFile }, surroundings)
  if (found === 'dangling') return { kind: 'ended' } // any process may take over
  const record = found === 'missing' || !found.ok ? null : decodeRecord(found.value.text)
  return record?.state === 'ended' ? { kind: 'ended' } : ownerWithId(record?.id)
}

const ownerWithId = (sessionId: string | undefined): Owner =>
  sessionId === undefined ? { kind: 'unknown' } : { kind: 'session', sessionId }

/** The one way in which a held generation becomes free. Unlinking it would make the highest generation shrink. */
const rename = (view: LockView, entry: string, generation: bigint) =>
  ask.rename(`${view.path}/${entry}`, `${view.path}/${freeName(generation)}`)

/** Gives back a generation that was claimed and does not count. What cannot be settled now is remembered. */
export function* giveBack(site: Site, entry: string, unsettled: Unsettled): Protocol<void> {
  const renamed = yield* rename(site, entry, unsettled.generation)
  if (renamed.ok) return
  if ((yield* settle(site, unsettled)).kind !== 'settled') site.memory.unsettled = unsettled
}

export type ReleaseOutcome =
  | { kind: 'released' }
  /** Another session has it or has had it, it was removed, or our session was retired: it was not ours any more. */
  | { kind: 'lost'; reason: 'taken-over' | 'broken' | 'removed' | 'retired' }
  /** It could not be told; it is being settled, and until then this process does not acquire the lock again. */
  | { kind: 'unsettled'; code: string; error?: unknown }

/** Releases a held generation. `entry`: its name, which differs from the generation where it carries its owner. */
export function* release(site: Site, held: Unsettled, entry: string): Protocol<ReleaseOutcome> {
  const renamed = yield* rename(site, entry, held.generation)
  if (renamed.ok) {
    site.memory.known = held.generation
    return { kind: 'released' }
  }
  const found = yield* standing(site, held)
  switch (found.kind) {
    case 'free':
      return { kind: 'released' } // it was done, and the reply was lost
    case 'surpassed':
      // It may have been done, its reply lost, and a successor faster than this look. But a claim that was broken, or taken over,
      // looks the same, and when in doubt the lock was not ours.
      return { kind: 'lost', reason: found.isFree ? 'broken' : 'taken-over' }
    case 'of-another':
      return { kind: 'lost', reason: 'taken-over' }
    case 'ended':
      return { kind: 'lost', reason: 'retired' }
    case 'absent':
    case 'no-lock':
      return { kind: 'lost', reason: 'removed' }
    case 'held': {
      const again = yield* rename(site, found.entry, held.generation)
      if (again.ok) return { kind: 'released' }
    }
  }
  site.memory.unsettled = held
  return { kind: 'unsettled', code: renamed.code, error: renamed.error }
}

/** Names that are removed in one go: twice what a lock directory may have. What others put into it has no bound. */
const REMOVED_AT_ONCE_MAX = 64

/**
 * Removes what lies below a generation that counted: in ascending order, so that the highest never shrinks. In a sticky
 * directory entries of other users stay until their owners come by. `true`: something is gone.
 */
export function* cleanUp({ path, surroundings }: LockView, below: readonly string[]): Protocol<boolean> {
  let isLess = false
  for (const name of below.slice(0, REMOVED_AT_ONCE_MAX)) {
    if (!(yield* ask.wanted())) return isLess
    const removed = yield* ask.unlink(`${path}/${name}`)
    if (removed.ok || removed.code === 'ENOENT') isLess = true
    else if (REFUSES_ALL.has(removed.code) || (!STAYS.has(removed.code) && isInDoubt(removed.code, surroundings))) return isLess
  }
  return isLess
}

/**
 * Removes what lies below a generation that may count, in ascending order: what was seen when it was claimed, and what is seen
 * now. One listing alone may have missed a name that changed meanwhile, and a name changes once. `gone`: another process has
 * removed what it was claimed over: the very entry, since a half-made one of the same generation may lie beside it. What may not
 * be removed stays, as another user's entry in a sticky directory does.
 */
export function* removeBelow(
  { path, surroundings }: LockView,
  from: Pick<Free, 'generation' | 'entry' | 'below'>,
  below: readonly string[],
): Protocol<'removed' | 'gone' | Failure> {
  let wasThere = false
  for (const name of ascending(new Set([...from.below, from.entry, ...below]))) {
    const removed = yield* removeEntry(`${path}/`, name, surroundings)
    if (removed.ok || STAYS.has(removed.code)) wasThere ||= name === from.entry
    else if (removed.code !== 'ENOENT') return removed
  }
  return wasThere ? 'removed' : 'gone'
}

/** By the name that was seen, or by the one that its release has given it since. */
function* removeEntry(below: string, name: string, surroundings: Surroundings): Protocol<Reply<void>> {
  const removed = yield* unlinkOrAgain(below + name, surroundings)
  const entry = parseEntry(name)
  if (removed.ok || removed.code !== 'ENOENT' || entry === null || entry.isFree) return removed
  return yield* unlinkOrAgain(below + freeName(entry.generation), surroundings)
}

/** What is in doubt is tried once more, since a reply is lost once. */
function* unlinkOrAgain(path: string, surroundings: Surroundings): Protocol<Reply<void>> {
  const removed = yield* ask.unlink(path)
  const isTold = removed.ok || removed.code === 'ENOENT' || STAYS.has(removed.code) || !isInDoubt(removed.code, surroundings)
  return isTold ? removed : yield* ask.unlink(path)
}

/** To `unlink`: the name is there, and this process may not remove it, or not now. */
const STAYS: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'EBUSY', 'ETXTBSY'])

/** What may go from a lock directory with too many names in it: what was surpassed, and traces of waiters. */
export const leftoversIn = ({ kind, below, looks }: LockListing): string[] => (kind === null ? [] : [...below, ...looks])

/** What the directory refuses for one name it refuses for all. A mount that does not answer is not worth more calls either. */
const REFUSES_ALL: ReadonlySet<string> = new Set(['EACCES', 'EROFS'])
