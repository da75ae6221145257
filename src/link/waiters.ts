/** The waiters at a link-based lock, for people: the queue as waiters themselves see it, with what their records tell. */

import { isSameHost, type SessionOwner, type SessionRecord } from '../protocol/record.js'
import type { Protocol } from '../protocol/operations.js'
import type { LockView } from '../protocol/settle.js'
import type { WaitingProcess } from '../types.js'
import { queueOf } from '../waiting/queue.js'
import { judgeTicket, listTickets, readTicket } from '../waiting/tickets.js'

/** Of a longer queue the rest is left out: each takes some round trips, those of the dead too. */
const SHOWN_MAX = 100
const JUDGED_MAX = 400
const NONE: ReadonlySet<string> = new Set()

export interface SeenWaiters {
  waiters: WaitingProcess[]
  /** When the lock's directory had changed last before the waiters of that generation came, by the server's clock. */
  lockChangedMs: number | null
}

/** `generation`: the one that is held. */
export function* seeWaiters(view: LockView, generation: bigint | null): Protocol<SeenWaiters> {
  const { tickets: names } = yield* listTickets(view)
  const seen: SeenWaiters = { waiters: [], lockChangedMs: null }
  for (const { ticket, sessionFile, host, pid, generation: behind } of queueOf(names, NONE).slice(0, JUDGED_MAX)) {
    if (seen.waiters.length === SHOWN_MAX) break
    const verdict = yield* judgeTicket(view, sessionFile)
    if (verdict.state === 'dead') continue
    const { madeMs, lockChangedMs } = yield* readTicket(view, ticket)
    if (behind === generation) seen.lockChangedMs ??= lockChangedMs
    const record = verdict.state === 'alive' ? verdict.record : null
    seen.waiters.push({ ...personOf(record, { host, pid }, view.surroundings.me), since: madeMs })
  }
  return seen
}

/** Where the record cannot be read, the name of its file tells. */
function personOf(
  record: SessionRecord | null,
  { host, pid }: Pick<WaitingProcess, 'host' | 'pid'>,
  me: SessionOwner,
): Omit<WaitingProcess, 'since'> {
  if (record === null) return { host, pid, uid: null, user: null, label: null, sameHost: false }
  const { uid, user, label } = record
  return { host: record.host, pid: record.pid, uid, user, label, sameHost: isSameHost(record, me) }
}
