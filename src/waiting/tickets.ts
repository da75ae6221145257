/**
 * Tickets: how waiters are known to each other. Small programs of file operations, run by the drivers like the protocol, and
 * no part of it: nothing that decides which process holds a lock sees a ticket. Lost, forged, doubled or left by the dead, a
 * ticket delays other processes by a bounded grace, and no more.
 *
 * A ticket is a file in `P/.wait/`, whose name tells the generation that was in the way and the session that waits. It is no
 * name of the session file: that would hide a lost entry from the count of links. `P/.wait/` is made by the first waiter, may be
 * used by all that may use `P`, and goes with the last ticket. Whether its owner lives is told by the session file.
 */

import { isAbsent } from '../protocol/doubt.js'
import { judge, type Verdict } from '../protocol/judge.js'
import { parseTicketName, WAIT_ROOM } from '../protocol/names.js'
import { ask, type Protocol } from '../protocol/operations.js'
import { listing, type LockView } from '../protocol/settle.js'

const roomOf = ({ path }: LockView) => `${path}/${WAIT_ROOM}`
export const ticketPath = (view: LockView, ticket: string) => `${roomOf(view)}/${ticket}`

/**
 * So often the directory is made. A waiter that leaves removes it when it is empty, also when it was made just now for the next
 * ticket. Chosen: where two fast nodes come and go, a node whose requests take longer than their turns needs a few.
 */
const ROOMS_MADE_MAX = 6

/** `true`: it is there, until it is removed. */
export function* makeTicket(view: LockView, ticket: string): Protocol<boolean> {
  const room = roomOf(view)
  const first = yield* ask.create(ticketPath(view, ticket), '', 0o600)
  if (first.ok || first.code === 'EEXIST') return true
  if (!isAbsent(first.code)) return false
  // What has no marker may be another program's by now, whose empty directory is a lock.
  const listed = yield* listing(view)
  if (!listed.ok || listed.value.kind === null) return false
  const lock = yield* ask.stat(view.path)
  if (!lock.ok || lock.value.type !== 'directory') return false
  for (let rooms = 0; rooms < ROOMS_MADE_MAX; rooms++) {
    const made = yield* ask.mkdir(room, lock.value.mode)
    if (!made.ok && made.code !== 'EEXIST') return false
    // The directory of the lock shows from now on when waiters came. What it showed before is kept in the ticket.
    const second = yield* ask.create(ticketPath(view, ticket), made.ok ? String(lock.value.modifiedMs) : '', 0o600)
    if (second.ok || second.code === 'EEXIST') return true
    if (!isAbsent(second.code)) return false
  }
  return false
}

/** Of more names the rest is not looked at. Chosen: so many take a millisecond, and the first few are what matters. */
const LOOKED_AT_MAX = 1000
/** More than any lock has waiters. Chosen: a listing of so many takes 10 ms. */
const CROWD_MIN = 4096

export interface WaitRoom {
  /** The names of the tickets that were looked at, in no order. */
  tickets: string[]
  isThere: boolean
  /** So much is in it that it is worth moving out as it is: those that still wait make their tickets again. */
  isCrowded: boolean
}

export function* listTickets(view: LockView): Protocol<WaitRoom> {
  const listed = yield* ask.list(roomOf(view))
  const names = listed.ok ? listed.value : []
  const tickets = names.slice(0, LOOKED_AT_MAX).filter((name) => parseTicketName(name) !== null)
  return { tickets, isThere: listed.ok, isCrowded: names.length >= CROWD_MIN }
}

/** Removes tickets: one's own, or those of the dead. With the last one goes their directory. */
export function* removeTickets(view: LockView, tickets: readonly string[]): Protocol<void> {
  const room = roomOf(view)
  // Others count the tickets before theirs as soon as the lock changes hands: first things first.
  for (const ticket of tickets) yield* ask.unlink(ticketPath(view, ticket))
  const listed = yield* ask.list(room)
  if (!listed.ok) return
  let left = listed.value.length
  for (const ticket of tickets) {
    if (!listed.value.includes(ticket)) continue
    // Where other users could swap directories, nothing is removed from one that was not listed.
    const removed = yield* ask.unlink(ticketPath(view, ticket))
    if (removed.ok || isAbsent(removed.code)) left--
  }
  // Only an empty directory goes, whatever has come into it meanwhile.
  if (left === 0) yield* ask.rmdir(room)
}

/** Whether the owner of a ticket lives, by its session file. */
export function judgeTicket({ directory, surroundings }: LockView, sessionFile: string): Protocol<Verdict> {
  return judge({ directory, path: `${directory}/${sessionFile}`, sessionFile }, surroundings)
}

/** When a ticket was made, and what it says of the lock, for people: times of the server, in milliseconds since the epoch. */
export interface TicketFacts {
  madeMs: number | null
  /** The lock's directory had changed last then, before the first waiter changed it. */
  lockChangedMs: number | null
}

export function* readTicket(view: LockView, ticket: string): Protocol<TicketFacts> {
  const found = yield* ask.read(ticketPath(view, ticket), false)
  if (found.ok) {
    const changedMs = Number(found.value.text)
    return { madeMs: found.value.modifiedMs, lockChangedMs: changedMs > 0 ? changedMs : null }
  }
  const status = yield* ask.stat(ticketPath(view, ticket))
  return { madeMs: status.ok ? status.value.modifiedMs : null, lockChangedMs: null }
}
