/**
 * What an administrator does to a lock: break its holder's claim, or remove a lock that no process uses. Neither hits
 * another process.
 */

import { type AttemptOutcome, claim } from './acquire.js'
import { type Dissolution, dissolve } from './dissolve.js'
import type { Protocol } from './operations.js'
import type { Session } from './session.js'
import { cleanUp, freshListing, release } from './settle.js'
import type { Site } from './site.js'

export type BreakOutcome =
  | { kind: 'broken' }
  /** No process holds it, or a holder with another token does. */
  | { kind: 'not-held' | 'other-token'; highest: bigint | null }
  | { kind: 'failed'; outcome: AttemptOutcome | 'beaten' }

/**
 * Takes a lock from its living holder: claims the next generation over exactly this one, and releases it at once. The holder
 * learns of it with its next heartbeat; until then only the fencing token protects.
 */
export function* breakHolder(site: Site, session: Session, generation: bigint): Protocol<BreakOutcome> {
  const listed = yield* freshListing(site)
  if (!listed.ok) return { kind: 'failed', outcome: { kind: 'failed', action: 'list', ...listed } }
  const { highest, free, entry, below, kind } = listed.value
  if (kind !== site.claim.kind)
    return { kind: 'failed', outcome: { kind: 'foreign', what: kind === null ? 'unmarked' : 'other-kind' } }
  if (highest === null || free) return { kind: 'not-held', highest }
  if (highest !== generation) return { kind: 'other-token', highest }
  const outcome = yield* claim(site, session, { generation, entry, below, own: false, takenFrom: null })
  if (outcome === 'beaten' || outcome.kind !== 'acquired') return { kind: 'failed', outcome }
  // The removal of the broken entry is what tells its holder, by the link count of its session file and by the answer to its
  // release. So it comes first: until then no other process can hold the lock.
  yield* cleanUp(site, outcome.below)
  yield* release(site, { generation: outcome.generation, sessionId: session.record.id }, outcome.entry)
  return { kind: 'broken' }
}

export type PruneOutcome =
  | { kind: 'pruned' }
  /** It is free and stays: these names in it are not ours, or may not be removed. */
  | { kind: 'obstructed'; names: string[] }
  | { kind: 'failed'; outcome: AttemptOutcome }

/** Removes a lock that no process holds, in steps that the next process can finish or undo. */
export function* prune(site: Site): Protocol<PruneOutcome> {
  const outcome = yield* dissolve(site, null)
  if (outcome.kind === 'gone') return { kind: 'pruned' }
  if (outcome.kind === 'obstructed') return outcome
  return { kind: 'failed', outcome: whyNot(outcome) }
}

const AHEAD = "its last token is ahead of the file server's clock, so that the next lock there would begin with a smaller one"

function whyNot(outcome: Exclude<Dissolution, { kind: 'gone' | 'obstructed' }>): AttemptOutcome {
  switch (outcome.kind) {
    case 'held':
      return { kind: 'busy', generation: null, holder: outcome.holder, why: 'it is held' }
    case 'ahead':
      return { kind: 'busy', generation: null, holder: null, why: AHEAD }
    case 'foreign':
      return { kind: 'foreign', what: 'unmarked' }
    case 'failed':
      return { ...outcome, action: 'list' }
    default:
      return { kind: 'busy', generation: null, holder: null, why: 'another process is at work on it' }
  }
}
