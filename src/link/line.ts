/** The line of waiters in front of a link-based lock, for one acquisition: its ticket, and what the other tickets tell. */

import { monotonicMs } from '../drivers/clock.js'
import { runAsynchronously } from '../drivers/work.js'
import { MountlockError } from '../errors.js'
import type { Glance, Line, Place } from '../lock-type/lock-type.js'
import { ticketName } from '../protocol/names.js'
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
  /** Runs a little program in the directory in which the lock was last seen. */
  run<Result>(program: Protocol<Result>): Promise<Result>
}

interface OwnTicket {
  session: LinkSession
  behind: bigint
  ticket: string
}

/** So many waiters are asked whether they live. If all of them are dead, no process is believed to wait. */
const JUDGED_MAX = 4

/** A waiter that was seen alive is taken for alive for so long. Chosen: one that has died meanwhile costs some graces. */
const ALIVE_MS = 1000
/** A bound on memory, not measured. */
const REMEMBERED_MAX = 1000

/** What may not be moved out now may not be soon after. Chosen: listing 60,000 tickets takes 0.2 s, which is 2 % of it. */
const CROWD_REST_MS = 10_000

export class LinkLine implements Line {
  readonly #lock: Lined
  /** The generation that was in the way first: it stays, also in the ticket of a later session. */
  #behind: bigint | null = null
  #own: OwnTicket | null = null
  #isCoarse: boolean | null = null
  /** Session files of owners that were found to be dead. */
  readonly #dead = new Set<string>()
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

  async stand(generation: bigint, isLate: boolean): Promise<Place> {
    this.#behind ??= generation
    this.#isCoarse ??= await this.#lock.run(isCoarse(this.#lock.site))
    const own = await this.#ticket(this.#behind)
    const line = queueOf((await this.#tickets())?.tickets ?? [], this.#dead)
    if (own !== null && !line.some(({ ticket }) => ticket === own.ticket)) await this.#make(own)
    const ahead = own === null ? line : line.filter((waiting) => isBefore(waiting, own))
    if (isLate) this.#lookAfter(ahead.at(-1))
    return { ahead: ahead.map((one) => ({ ...one, ticket: ticketPath(this.#lock.site, one.ticket) })), isCoarse: this.#isCoarse }
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
    if (this.#isOver || session === this.#own?.session) return this.#own
    this.#giveUp()
    // Waiting is use: a session with a ticket is not ended for idleness.
    session.enter()
    this.#own = { session, behind, ticket: ticketName(behind, session.file.name) }
    await this.#make(this.#own)
    return this.#own
  }

  async #make(own: OwnTicket): Promise<void> {
    if (own !== this.#own) return
    await this.#lock.run(makeTicket(this.#lock.site, own.ticket))
    if (own !== this.#own) this.#remove([own.ticket]) // it was given up meanwhile
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
    const own = this.#lock.directory.ownSessionFiles()
    const room = await this.#tickets()
    if (room === null) return 0
    const others = queueOf(room.tickets, this.#dead).filter(({ sessionFile }) => !own.includes(sessionFile))
    const dead: string[] = []
    let isAwaited = false
    for (const { ticket, sessionFile } of others.slice(0, JUDGED_MAX)) {
      isAwaited = this.#wasAlive(sessionFile) || !(await this.#isDead(sessionFile))
      if (isAwaited) break
      dead.push(ticket)
    }
    // An empty room goes too.
    if (dead.length > 0 || (room.isThere && room.tickets.length === 0)) this.#remove(dead)
    return isAwaited ? others.length - dead.length : 0
  }

  /** Each looks after the one before it: a ticket of the dead is removed by the next in line. */
  #lookAfter(waiting: Waiting | undefined): void {
    if (waiting === undefined) return
    const { sessionFile, ticket } = waiting
    this.#lock.directory.mount.inBackground(async () => {
      if (!this.#isOver && (await this.#isDead(sessionFile))) await this.#lock.run(removeTickets(this.#lock.site, [ticket]))
    })
  }

  async #isDead(sessionFile: string): Promise<boolean> {
    const verdict = await this.#lock.run(judgeTicket(this.#lock.site, sessionFile))
    if (verdict.state === 'dead') this.#dead.add(sessionFile)
    else this.#remember(sessionFile)
    return verdict.state === 'dead'
  }

  #wasAlive(sessionFile: string): boolean {
    return monotonicMs() < (this.#lock.aliveUntilMs.get(sessionFile) ?? 0)
  }

  #remember(sessionFile: string): void {
    const { aliveUntilMs } = this.#lock
    if (aliveUntilMs.size >= REMEMBERED_MAX) aliveUntilMs.clear()
    aliveUntilMs.set(sessionFile, monotonicMs() + ALIVE_MS)
  }

  leave(): void {
    this.#isOver = true
    this.#giveUp()
  }

  #giveUp(): void {
    const own = this.#own
    if (own === null) return
    this.#own = null
    own.session.leave()
    this.#remove([own.ticket])
  }

  #remove(tickets: readonly string[]): void {
    this.#lock.directory.seeThrough(this.#lock.run(removeTickets(this.#lock.site, tickets)))
  }
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
