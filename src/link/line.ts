/** The line of waiters in front of a link-based lock, for one acquisition: its ticket, and what the other tickets tell. */

import { monotonicMs } from '../drivers/clock.js'
import { runAsynchronously } from '../drivers/work.js'
import { MountlockError } from '../errors.js'
import type { Glance, Line, Place } from '../lock-type/lock-type.js'
import { parseTicketName, ticketName } from '../protocol/names.js'
import { ask, type Protocol } from '../protocol/operations.js'
import { coarsenessMs } from '../protocol/lease.js'
import { freshListing, listing } from '../protocol/settle.js'
import type { Site } from '../protocol/site.js'
import { moveOutWaitRoom } from '../protocol/wait-room.js'
import { queueOf, type Waiting } from '../waiting/queue.js'
import { judgeTicket, listTickets, makeTicket, removeTickets, ticketPath, type WaitRoom } from '../waiting/tickets.js'
import type { LinkSession } from './link-session.js'
import type { LockDirectory } from './lock-directory.js'

/** What a line needs of its lock. */
export interface Lined {
  readonly path: string
  readonly site: Site
  readonly directory: LockDirectory
  /** Until then, by `monotonicMs()`, its tickets are not asked for: there are too many, and they cannot be moved out. */
  ticketsRestUntilMs: number
  /** Waiters that were seen alive, each with the time until which that is not asked again, by `monotonicMs()`. */
  readonly aliveUntilMs: Map<string, number>
  /** Since when their directory was empty whenever it was listed, by `monotonicMs()`; `null`: it was not. */
  roomEmptySinceMs: number | null
  /** The removal of a ticket of this process that was begun last; `null`: there was none. */
  ticketsGoing: Promise<unknown> | null
  /** Runs a little program in the directory in which the lock was last seen. */
  run<Result>(program: Protocol<Result>): Promise<Result>
}

interface OwnTicket {
  session: LinkSession
  behind: bigint
  ticket: string
}

/** So many waiters are asked whether they live. If all are dead, no process is believed to wait, and the next call goes on. */
const JUDGED_MAX = 4

/** A waiter that was seen alive is taken for alive for so long. Chosen: one that has died meanwhile costs some graces. */
const ALIVE_MS = 1000
/** So many are remembered, as many as are listed. Chosen: to forget them all costs a few more questions. */
const REMEMBERED_MAX = 1000

/**
 * An empty directory of tickets is left for so long to a waiter that has just made it, and makes its ticket next. Chosen: where a
 * request takes a second a waiter has its ticket, and a process that comes back asks once in each cycle meanwhile.
 */
const EMPTY_MS = 2000

/** What may not be moved out now may not be soon after. Chosen: listing 60,000 tickets takes 0.2 s, which is 2 % of it. */
const CROWD_REST_MS = 10_000

export class LinkLine implements Line {
  readonly #lock: Lined
  /** The generation that was in the way first: it stays, also in the ticket of a later session. */
  #behind: bigint | null = null
  #own: OwnTicket | null = null
  #making: Promise<unknown> = Promise.resolve()
  #isCoarse: boolean | null = null
  #isOver = false

  constructor(lock: Lined) {
    this.#lock = lock
  }

  get path(): string {
    return this.#lock.path
  }

  glance(isCertain: boolean): Promise<Glance | null> {
    return this.#lock.run(glanceAt(this.#lock.site, isCertain))
  }

  async stand(generation: bigint | null, isLate: boolean): Promise<Place> {
    this.#behind ??= generation
    const own = this.#behind === null ? null : await this.#ticket(this.#behind)
    const names = (await this.#tickets())?.tickets ?? []
    if (own !== null && !names.includes(own.ticket)) await this.#make(own)
    this.#removeLeftOf(own, names)
    const others = this.#othersIn(names)
    const before = own === null ? others : others.filter((waiting) => isBefore(waiting, own))
    const ahead = isLate ? await this.#withoutDead(before) : before
    // Asked last: where each request takes long, others go on passing by until the ticket is there.
    this.#isCoarse ??= await this.#lock.run(isCoarse(this.#lock.site))
    return { ahead: ahead.map((one) => ({ ...one, ticket: ticketPath(this.#lock.site, one.ticket) })), isCoarse: this.#isCoarse }
  }

  #othersIn(names: readonly string[]): Waiting[] {
    const { deadOwners } = this.#lock.directory
    return queueOf(names, new Set([...deadOwners, ...this.#lock.directory.ownSessionFiles()]))
  }

  /** Tickets of this process that could not be removed in their time: as long as it lives no other process may remove them. */
  #removeLeftOf(own: OwnTicket | null, names: readonly string[]): void {
    if (own !== this.#own) return // it was given up meanwhile
    const sessions = this.#lock.directory.ownSessionFiles()
    const isLeft = (name: string) => name !== own?.ticket && sessions.includes(parseTicketName(name)?.sessionFile ?? '')
    const left = names.filter(isLeft)
    if (left.length > 0) void this.#remove(left)
  }

  /** With the session that takes new locks now; `null`: there is none to be had. */
  async #ticket(behind: bigint): Promise<OwnTicket | null> {
    let session: LinkSession
    try {
      session = await runAsynchronously(this.#lock.directory.session())
    } catch (error) {
      if (!(error instanceof MountlockError)) throw error
      return null
    }
    // That of the last acquisition may have the same name.
    if (this.#own === null) await this.#lock.ticketsGoing
    if (this.#isOver || session === this.#own?.session) return this.#own
    void this.#giveUp()
    // Waiting is use: a session with a ticket is not ended for idleness.
    session.enter()
    this.#own = { session, behind, ticket: ticketName(behind, session.file.name) }
    await this.#make(this.#own)
    return this.#own
  }

  async #make(own: OwnTicket): Promise<void> {
    if (own !== this.#own) return // it was given up meanwhile
    this.#making = this.#lock.run(makeTicket(this.#lock.site, own.ticket))
    await this.#making
  }

  /** `null`: there are so many that they say nothing. */
  async #tickets(): Promise<WaitRoom | null> {
    if (monotonicMs() < this.#lock.ticketsRestUntilMs) return null
    const room = await this.#lock.run(listTickets(this.#lock.site))
    if (!room.isCrowded) return room
    this.#lock.ticketsRestUntilMs = monotonicMs() + CROWD_REST_MS
    this.#lock.directory.seeThrough(this.#moveOut())
    return null
  }

  async #moveOut(): Promise<void> {
    if (!(await this.#lock.run(moveOutWaitRoom(this.#lock.site)))) return
    this.#lock.ticketsRestUntilMs = 0
    if (this.#own !== null) await this.#make(this.#own)
  }

  async others(): Promise<number> {
    const room = await this.#tickets()
    if (room === null) return 0
    const others = this.#othersIn(room.tickets)
    const dead = this.#wasAlive(others[0]) ? [] : await this.#deadAmong(others)
    if (this.#isLeftEmpty(room) || dead.length > 0) this.#removeOfDead(dead)
    return dead.length < Math.min(others.length, JUDGED_MAX) ? others.length - dead.length : 0
  }

  #isLeftEmpty({ isThere, tickets }: WaitRoom): boolean {
    const nowMs = monotonicMs()
    const sinceMs = isThere && tickets.length === 0 ? (this.#lock.roomEmptySinceMs ?? nowMs) : null
    const isLeft = sinceMs !== null && nowMs - sinceMs >= EMPTY_MS
    this.#lock.roomEmptySinceMs = isLeft ? null : sinceMs
    return isLeft
  }

  /** Each looks after those right before it: tickets of the dead are removed by the next in line. */
  async #withoutDead(ahead: readonly Waiting[]): Promise<readonly Waiting[]> {
    const dead = await this.#deadAmong(ahead.toReversed())
    if (dead.length > 0) this.#removeOfDead(dead)
    return ahead.slice(0, ahead.length - dead.length)
  }

  /** The tickets of the dead, up to the first process that lives. */
  async #deadAmong(waiting: readonly Waiting[]): Promise<string[]> {
    const dead: string[] = []
    for (const { ticket, sessionFile } of waiting.slice(0, JUDGED_MAX)) {
      if (!(await this.#isDead(sessionFile))) break
      dead.push(ticket)
    }
    return dead
  }

  async #isDead(sessionFile: string): Promise<boolean> {
    const { state } = await this.#lock.run(judgeTicket(this.#lock.site, sessionFile))
    const { deadOwners } = this.#lock.directory
    if (state !== 'dead') this.#remember(sessionFile)
    else makeRoom(deadOwners).add(sessionFile)
    return state === 'dead'
  }

  #wasAlive(waiting: Waiting | undefined): boolean {
    return waiting !== undefined && monotonicMs() < (this.#lock.aliveUntilMs.get(waiting.sessionFile) ?? 0)
  }

  #remember(sessionFile: string): void {
    makeRoom(this.#lock.aliveUntilMs).set(sessionFile, monotonicMs() + ALIVE_MS)
  }

  leave(): Promise<unknown> {
    this.#isOver = true
    return this.#giveUp()
  }

  async #giveUp(): Promise<void> {
    const own = this.#own
    if (own === null) return
    this.#own = null
    own.session.leave()
    await this.#remove([own.ticket])
  }

  /** Tickets of this process, once they are made. */
  #remove(tickets: readonly string[]): Promise<unknown> {
    const making = this.#making.catch(() => {})
    const removing = making.then(() => this.#lock.run(removeTickets(this.#lock.site, tickets))).catch(() => {}) // best effort
    this.#lock.ticketsGoing = removing
    this.#lock.directory.seeThrough(removing)
    return removing
  }

  /** One piece after the other: a server may make the removal of a file wait for a dead client. */
  #removeOfDead(tickets: readonly string[]): void {
    this.#lock.directory.mount.inBackground(() => this.#lock.run(removeTickets(this.#lock.site, tickets)))
  }
}

function makeRoom<Memory extends { size: number; clear(): void }>(memory: Memory): Memory {
  if (memory.size >= REMEMBERED_MAX) memory.clear()
  return memory
}

function* glanceAt(site: Site, isCertain: boolean): Protocol<Glance | null> {
  const listed = yield* isCertain ? freshListing(site) : listing(site)
  if (!listed.ok) return null
  const { kind, highest, crowded, free, sessionFile } = listed.value
  if (kind !== site.claim.kind || highest === null || crowded) return null
  return { generation: highest, isFree: free, sessionFile }
}

/** Whether the time stamps of a server are whole seconds. A client that has just listed it knows them. */
function* isCoarse({ path, surroundings }: Site): Protocol<boolean> {
  if (surroundings.coherent) return false
  const status = yield* ask.stat(path)
  return status.ok && coarsenessMs(status.value.modifiedMs) > 0
}

const isBefore = ({ generation, ticket }: Waiting, own: OwnTicket) =>
  generation < own.behind || (generation === own.behind && ticket < own.ticket)
