/** Is a process that described itself still alive? */

import { processState, sessionOwner } from '../../drivers/identity.js'
import { isSameHost, provingStartTime, type SessionOwner } from '../../protocol/record.js'

/** How a process describes itself to others, and from where it looks at them. */
export type Identity = SessionOwner

export const ownIdentity = sessionOwner

/** `ann (uid 1001)`, or `uid 1001` of a user without a name. */
export function person({ uid, user: name }: Pick<Identity, 'uid' | 'user'>): string {
  return name === null ? `uid ${uid}` : `${name} (uid ${uid})`
}

/**
 * `gone` only on the proofs that a lock's judge accepts. `alive` only where it is known to be the same process, and not a later
 * one with its number; `unknown` otherwise, for a process of another node as well.
 */
export function lifeOf(other: Identity): 'alive' | 'gone' | 'unknown' {
  const own = ownIdentity()
  if (!isSameHost(other, own)) return 'unknown'
  const startTime = provingStartTime(other, own)
  const state = processState(other.pid, startTime)
  return state === 'alive' && startTime === null ? 'unknown' : state
}
