/** What an administrator does to a lock: break its holder's claim, or remove a lock that nobody uses. Both are acquisitions first, so that nobody else is hit. */

import { type AttemptOutcome, attempt, claim } from './acquire.js'
import { discardMoved } from './create-lock.js'
import { lookName, markerName } from './names.js'
import { ask, type Protocol } from './operations.js'
import type { Session } from './session.js'
import { cleanUp, freshListing, release } from './settle.js'
import type { Site } from './site.js'

export type BreakOutcome =
  | { kind: 'broken' }
  /** Nobody holds it, or somebody with another token does. */
  | { kind: 'not-held' | 'other-token'; highest: bigint | null }
  | { kind: 'failed'; outcome: AttemptOutcome | 'beaten' }

/**
 * Takes a lock from its living holder: claims the next generation over exactly this one, and releases it at once. The holder
 * learns of it with its next heartbeat; until then only the fencing token protects.
 */
export function* breakHolder(site: Site, session: Session, generation: bigint): Protocol<BreakOutcome> {
  const listed = yield* freshListing(site)
  if (!listed.ok) return { kind: 'failed', outcome: { kind: 'failed', action: 'list', ...listed } }
  const { highest, free, entry, kind } = listed.value
  if (kind !== site.claim.kind)
    return { kind: 'failed', outcome: { kind: 'foreign', what: kind === null ? 'unmarked' : 'other-kind' } }
  if (highest === null || free) return { kind: 'not-held', highest }
  if (highest !== generation) return { kind: 'other-token', highest }
  const outcome = yield* claim(site, session, { generation, entry, own: false, takenFrom: null })
  if (outcome === 'beaten' || outcome.kind !== 'acquired') return { kind: 'failed', outcome }
  // The removal of the broken entry is what tells its holder: the link count of its session file.
  yield* cleanUp(site, outcome.below)
  yield* release(site, outcome.generation, session.record.id, outcome.entry)
  return { kind: 'broken' }
}

export type PruneOutcome =
  | { kind: 'pruned' }
  /** Its generations have run ahead of the server's clock: made anew, its tokens would go back. */
  | { kind: 'would-go-back' }
  | { kind: 'failed'; outcome: AttemptOutcome }

/**
 * Removes a lock that nobody holds. Holding it, its marker goes first: from then on no claim on it counts, not even one by
 * a client that still knows the directory by its old name. Then it is moved away, and emptied there.
 */
export function* prune(site: Site, session: Session): Protocol<PruneOutcome> {
  const held = yield* attempt(site, session, true)
  if (held.kind !== 'acquired') return { kind: 'failed', outcome: held }
  const nowMs = yield* serverTime(site)
  if (nowMs === null || held.generation >= BigInt(Math.floor(nowMs)) * 1000n) {
    yield* release(site, held.generation, session.record.id, held.entry)
    return { kind: 'would-go-back' }
  }
  const unmarked = yield* ask.unlink(`${site.path}/${markerName(site.claim.kind)}`)
  if (!unmarked.ok) {
    yield* release(site, held.generation, session.record.id, held.entry)
    return { kind: 'failed', outcome: { kind: 'failed', action: 'claim', ...unmarked } }
  }
  yield* cleanUp(site, [...held.below, held.entry])
  const isGone = yield* discardMoved(site.directory, site.path)
  return isGone ? { kind: 'pruned' } : { kind: 'failed', outcome: { kind: 'foreign', what: 'unmarked' } }
}

/** The server's time in milliseconds since the epoch; `null` where it cannot be asked. */
function* serverTime(site: Site): Protocol<number | null> {
  const random = yield* ask.name()
  const path = `${site.path}/${lookName(random)}`
  const created = yield* ask.create(path, '', 0o600)
  yield* ask.unlink(path)
  return created.ok ? created.value.serverMs : null
}
