/** Is a process that described itself still alive? */

import { processState, sessionOwner } from '../../drivers/identity.js'
import type { SessionOwner } from '../../protocol/record.js'

/** How a process describes itself to others; pids mean something within one boot and one process namespace only. */
export type Identity = SessionOwner

export const ownIdentity = sessionOwner

/** `gone` only on proof; `unknown` for a process of another node, and where this platform cannot tell nodes apart. */
export function lifeOf(other: Identity): 'alive' | 'gone' | 'unknown' {
  const own = ownIdentity()
  const isHere = own.bootId !== null && own.pidNamespace !== null
  if (!isHere || other.bootId !== own.bootId || other.pidNamespace !== own.pidNamespace) return 'unknown'
  return processState(other.pid, other.startTime)
}
