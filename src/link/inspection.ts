/** What is known about the holder of a link-based lock, for people. */

import type { LinkInspection } from '../protocol/inspect.js'
import type { SessionRecord } from '../protocol/record.js'
import type { Holder, Inspection } from '../types.js'

export function toInspection(lock: Pick<Inspection, 'path' | 'lockType' | 'waiters'>, inspection: LinkInspection): Inspection {
  const { state, why, generation, record, unknownEntries } = inspection
  const base = { ...lock, token: generation, unknownEntries }
  if (state === 'free') return { ...base, state }
  const holder = record === null ? null : toHolder(record, inspection)
  if (state === 'unknown' || holder === null) return { ...base, state: 'unknown', reason: why, holder }
  return { ...base, state, holder }
}

type Seen = Pick<LinkInspection, 'sinceMs' | 'heartbeatAgeMs' | 'sameHost'>

export function toHolder(record: SessionRecord, { sinceMs, heartbeatAgeMs, sameHost }: Seen): Holder {
  const { host, pid, uid, user, label } = record
  return { host, pid, uid, user, label, since: sinceMs, heartbeatAgeMs, sameHost }
}
