/** Giving a generation back, and finding out about operations whose outcome is unknown. */

import { ownChange, readRecord } from './judge.js'
import { freeName, heldName, type LockListing, parseListing, parseSessionName } from './names.js'
import { ask, type Protocol, type Reply } from './operations.js'
import { decodeRecord } from './record.js'
import type { Site, Unsettled } from './site.js'

/** Failures after which nobody knows whether the server did it, or is still going to. */
const DOUBTFUL = new Set([
  'EIO',
  'ETIMEDOUT',
  'ESTALE',
  'EINTR',
  'ECONNRESET',
  'EREMOTEIO',
  'ENOTCONN',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])
export const isDoubtful = (code: string) => DOUBTFUL.has(code)

/** There is no lock directory: nothing is there, or the file of an advisory lock (its type was changed). */
export const isAbsent = (code: string) => code === 'ENOENT' || code === 'ENOTDIR'

/** What it takes to look at a lock. */
export type Place = Pick<Site, 'path' | 'directory' | 'surroundings'>

/** A listing that this node cannot have had in a cache. */
export function* freshListing(site: Place): Protocol<Reply<LockListing>> {
  if (!site.surroundings.coherent && !(yield* ownChange(site.path))) {
    // Where the lock directory itself is gone there is nothing to change in it.
    const listed = yield* ask.list(site.path)
    return listed.ok ? { ok: false, code: 'EIO' } : listed
  }
  return yield* listing(site)
}

/** A listing as this node has it: fresh after a change of its own, perhaps from a cache otherwise. */
export function* listing({ path }: Place): Protocol<Reply<LockListing>> {
  const listed = yield* ask.list(path)
  return listed.ok ? { ok: true, value: parseListing(listed.value) } : listed
}

/**
 * `settled`: the generation is not held by that session, and will not be. `absent`: it is not there, but an operation
 * that is still under way could bring it. `unknown`: it could not be told.
 */
export type Settlement = 'settled' | 'absent' | 'unknown'

/** Makes sure that an entry of ours is not held any more. Only ever touches entries of that very session. */
export function* settle(site: Place, unsettled: Unsettled): Protocol<Settlement> {
  const { generation, session } = unsettled
  const listed = yield* freshListing(site)
  if (!listed.ok) return isAbsent(listed.code) ? 'settled' : 'unknown'
  const { highest, free, crowded } = listed.value
  if (crowded || highest === null) return 'unknown'
  if (highest > generation || (highest === generation && free)) return 'settled'
  if (highest < generation) return 'absent'
  const owner = yield* ownerOf(site, listed.value)
  if (owner !== session) return owner === 'unknown' ? 'unknown' : 'settled'
  const renamed = yield* rename(site, listed.value.entry, generation)
  return renamed.ok ? 'settled' : 'unknown'
}

/** The id of the session that holds the highest generation; `ended`: nobody does any more. */
export function* ownerOf(
  { path, directory, surroundings }: Place,
  { entry, sessionFile }: Pick<LockListing, 'entry' | 'sessionFile'>,
): Protocol<string> {
  if (sessionFile !== null) return parseSessionName(sessionFile)?.id ?? 'unknown'
  const found = yield* readRecord({ directory, path: `${path}/${entry}`, sessionFile }, surroundings)
  if (found === 'dangling') return 'ended' // everybody may take over
  const record = found === 'missing' || !found.ok ? null : decodeRecord(found.value.text)
  if (record === null) return 'unknown'
  return record.state === 'ended' ? 'ended' : record.id
}

/** The one way in which a held generation becomes free. Unlinking it would make the highest generation shrink. */
export const rename = (site: Place, entry: string, generation: bigint) =>
  ask.rename(`${site.path}/${entry}`, `${site.path}/${freeName(generation)}`)

/** Gives back a generation that was claimed and does not count. What cannot be settled now is remembered. */
export function* giveBack(site: Site, entry: string, unsettled: Unsettled): Protocol<void> {
  const renamed = yield* rename(site, entry, unsettled.generation)
  if (renamed.ok) return
  if ((yield* settle(site, unsettled)) !== 'settled') site.memory.unsettled = unsettled
}

export type ReleaseOutcome =
  | { kind: 'released' }
  /** Somebody else has it, or it was removed: it was not ours any more. */
  | { kind: 'lost'; reason: 'taken-over' | 'removed' }
  /** It could not be told; it is being settled, and until then this process does not acquire the lock again. */
  | { kind: 'unsettled'; code: string; error?: unknown }

/** Releases a held generation. `entry`: its name, which differs from the generation where it carries its owner. */
export function* release(
  site: Site,
  generation: bigint,
  session: string,
  entry: string = heldName(generation),
): Protocol<ReleaseOutcome> {
  const renamed = yield* rename(site, entry, generation)
  if (renamed.ok) {
    site.memory.known = generation
    return { kind: 'released' }
  }
  const listed = yield* freshListing(site)
  if (!listed.ok && isAbsent(listed.code)) return { kind: 'lost', reason: 'removed' }
  if (renamed.code === 'ENOENT' && listed.ok && listed.value.highest !== null && !listed.value.crowded) {
    const { highest, free } = listed.value
    if (highest === generation && free) return { kind: 'released' } // the first reply was lost
    if (highest < generation) return { kind: 'lost', reason: 'removed' }
    if (highest > generation) {
      // A lost reply and a successor, or a takeover? While the lease lasts nobody can take over.
      const remainingMs = yield* ask.lease(session)
      return remainingMs > 0 ? { kind: 'released' } : { kind: 'lost', reason: 'taken-over' }
    }
  }
  const unsettled = { generation, session }
  if ((yield* settle(site, unsettled)) === 'settled') return { kind: 'released' }
  site.memory.unsettled = unsettled
  return { kind: 'unsettled', code: renamed.code, error: renamed.error }
}

/** Removes what lies below a generation that counted: in ascending order, so that the highest never shrinks. */
export function* cleanUp(site: Place, below: readonly string[]): Protocol<void> {
  for (const name of below) {
    const removed = yield* ask.unlink(`${site.path}/${name}`)
    // Another user's entry in a sticky directory stays until its owner comes by; a dead mount is not worth more calls.
    if (!removed.ok && isDoubtful(removed.code)) return
  }
}
