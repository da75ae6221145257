/** The queue of the waiters at one lock: their order, and when each may try. Pure, so that all that show it agree. */

import { parseSessionName, parseTicketName } from '../protocol/names.js'

export interface Waiting {
  /** The name of the ticket. */
  ticket: string
  /** The generation that was in the way when it began to wait. */
  generation: bigint
  /** The name of the session file of its owner. */
  sessionFile: string
  host: string
  pid: number
}

/**
 * So many waiters have a turn of their own; all others share the next one. Names of tickets can be forged, and this bounds what
 * that can do to the others: eight graces.
 */
export const TURNS_MAX = 8

/** So long after a release a waiter may try, in milliseconds. `before`: how many waiters came before it. */
export const turnMsOf = (before: number, graceMs: number): number => Math.min(before, TURNS_MAX) * graceMs

/** Of more tickets the rest is not looked at. */
const TICKETS_MAX = 1000

/**
 * `listing`: the names in the directory of the tickets. `dead`: session files whose owners are known to be dead. The oldest
 * comes first: by generation, then by name.
 */
export function queueOf(listing: readonly string[], dead: ReadonlySet<string>): Waiting[] {
  const sessions = new Set<string>()
  const waiting: Waiting[] = []
  for (const { ticket, generation, sessionFile } of ticketsIn(listing)) {
    // A session has one place, its oldest.
    if (sessions.has(sessionFile) || dead.has(sessionFile)) continue
    sessions.add(sessionFile)
    const { host, pid } = parseSessionName(sessionFile) ?? { host: '?', pid: 0 }
    waiting.push({ ticket, generation, sessionFile, host, pid })
  }
  return waiting
}

interface Ticket {
  ticket: string
  generation: bigint
  sessionFile: string
}

function ticketsIn(listing: readonly string[]): Ticket[] {
  const tickets: Ticket[] = []
  for (const name of listing) {
    const parsed = parseTicketName(name)
    if (parsed !== null) tickets.push({ ticket: name, ...parsed })
    if (tickets.length === TICKETS_MAX) break
  }
  return tickets.sort(byAge)
}

function byAge(one: Ticket, other: Ticket): number {
  if (one.generation !== other.generation) return one.generation < other.generation ? -1 : 1
  return one.ticket < other.ticket ? -1 : one.ticket > other.ticket ? 1 : 0
}
