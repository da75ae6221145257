/** What is known about the holder of a link-based lock, for people. */

import type { LinkInspection } from '../protocol/inspect.js'
import type { SessionRecord } from '../protocol/record.js'
import type { Holder, Inspection, LockType } from '../types.js'

export function toInspection(path: string, lockType: LockType, inspection: LinkInspection): Inspection {
  const { state, why, generation, record, unknownEntries } = inspection
  const base = { path, lockType, token: generation, unknownEntries }
  if (state === 'free') return { ...base, state }
  const holder = record === null ? null : toHolder(record, inspection)
  if (state === 'unknown' || holder === null) return { ...base, state: 'unknown', reason: why, holder }
  return { ...base, state, holder }
}

function toHolder(record: SessionRecord, { sinceMs, heartbeatAgeMs, sameHost }: LinkInspection): Holder {
  const { host, pid, uid, user, label } = record
  return { host, pid, uid, user, label, since: sinceMs, heartbeatAgeMs, sameHost }
}
