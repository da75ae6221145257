/**
 * The properties, checked at every step by an observer that sees everything: true time, the server's contents, and what
 * each process believes. Written in terms of what users rely on, not of how the protocol works.
 */

import { type BeatTime, leaseMs } from '../../src/protocol/lease.js'
import type { ProcessState } from '../../src/protocol/operations.js'
import type { BeatOutcome } from '../../src/protocol/session.js'
import type { Node } from './node.js'
import type { SimProcess, SimSession } from './process.js'
import { type Inode, ROOT } from './server.js'
import type { World } from './world.js'

export type PropertyName =
  | 'token twice'
  | 'tokens out of order'
  | 'live holder replaced'
  | "another's lock removed"
  | 'holder did not know'
  | 'heartbeat did not tell'
  | 'no progress'
  | 'released what was lost'
  | 'acquired elsewhere'
  | "another's file removed"
  | 'held without a holder'
  | 'buried unmarked'
  | 'left behind'

export class Violation extends Error {
  readonly property: PropertyName
  constructor(property: PropertyName, message: string) {
    super(`${property}: ${message}`)
    this.property = property
  }
}

/** A lock directory is tidied at the latest when a listing of it is not made in one piece any more; a few waiters may add to that. */
const ENTRIES_MAX = 40

/** How long what seems to be a leftover has to stand there at least, by true time: ten minutes of the slowest clock. */
const LEFTOVER_MS = 9 * 60_000
/** How long another library holds the lock. */
const FOREIGN_MS_MAX = 6000
const MOMENTARY = /^\.(mountlock-new|mountlock-wait|look)-/
/** A file that is not ours. */
const PLANTED = 'README'

/** A lock that a process believes to hold. */
export interface Hold {
  readonly process: SimProcess
  readonly session: SimSession
  readonly generation: number
  readonly entry: string
  isReleasing: boolean
  isLost: boolean
}

interface Given {
  token: number
  decidedAt: number
  who: string
}

interface Top {
  generation: number
  free: boolean
  inode: number
}

const DIGIT_0 = 48
const DIGIT_9 = 57
/** The generation of an entry of the lock directory, as the properties understand it: `18`, `18.<owner>` or `18.free`; 0 for any other name. */
function generationOf(name: string): number {
  const first = name.charCodeAt(0)
  return first >= DIGIT_0 && first <= DIGIT_9 ? Number.parseInt(name, 10) : 0
}
const isFree = (name: string) => name.endsWith('.free')

export class Properties {
  readonly isCoherent: boolean
  readonly processes: SimProcess[] = []
  readonly #world: World
  /** Generations that an administrator has taken away, perhaps without their holders' knowledge: there only the token protects. */
  readonly #broken = new Set<number>()
  /** Files of sessions that were marked as ended. */
  readonly #marked = new Set<number>()
  /** A process takes the lock away when none holds it. */
  readonly #isPruned: boolean
  /** Tokens handed out, with the order of their deciding operations. */
  readonly #given: Given[] = []
  /** When each generation was last created, by whose session file. */
  readonly #created = new Map<number, number>()
  readonly #holds = new Set<Hold>()
  #top: Top | null = null
  /** The lock directory. */
  #lock = 0
  /** Holds that another process got while their machine had stood still. */
  readonly #superseded = new Map<Hold, number>()
  /** Of those the ones of which no clock told at the first heartbeat: then no later one does either. */
  readonly #excused = new Set<Hold>()
  /** Generations whose names became free, and when, in the order of the server's operations. */
  readonly #freed = new Map<number, number>()
  /** When what is there for a moment only appeared beside the lock. */
  readonly #momentary = new Map<string, number>()
  /** Another library takes the lock as soon as the first draft of a lock directory is there: none can be on its way into place then. */
  #awaitsDraft = false
  /** The empty directory by which another library holds the lock. */
  #foreign: number | null = null
  /** There is a file in the lock directory that is not ours. */
  #isPlanted = false
  onFirstAcquired: () => void = () => {}

  constructor(world: World, isCoherent: boolean) {
    this.#world = world
    this.isCoherent = isCoherent
    const { administration, otherKind } = world.faults
    this.#isPruned = administration > 0 || otherKind
    world.server.onChange = (directory, name) => this.#onChange(directory, name)
    world.server.onWrite = ({ number, text }) => {
      // The state stands in front.
      if (text.slice(0, 100).includes('"state":"ended"')) this.#marked.add(number)
    }
    this.#lock = world.server.lookUp(world.server.lookUp(ROOT, 'd') ?? 0, 'P') ?? 0
    this.#top = this.#readTop()
    this.#awaitsDraft = world.faults.emptyDirectory
  }

  /** The other library takes the lock, and lets go of it after a while. */
  #takeForeign(): void {
    const { server, random } = this.#world
    const directory = server.lookUp(ROOT, 'd') ?? 0
    this.#awaitsDraft = false
    if (server.lookUp(directory, 'P') !== null) return
    server.makeDirectory(directory, 'P', 0o755)
    this.#foreign = this.#lock
    this.#world.after(random.logarithmic(1, FOREIGN_MS_MAX), () => {
      this.#foreign = null
      server.removeDirectory(directory, 'P')
    })
  }

  /** A user, a backup program or an administrator puts a file where it does not belong. */
  plant(): void {
    if (this.#isPlanted || this.#foreign !== null || this.#world.isHealed) return
    this.#isPlanted = this.#world.server.create(this.#lock, PLANTED, '', 0o644).ok
  }

  removePlanted(): void {
    if (!this.#isPlanted) return
    this.#isPlanted = false
    this.#world.server.unlink(this.#lock, PLANTED)
  }

  #checkBeside(name: string): void {
    const { server, executing, nowMs } = this.#world
    const isThere = server.lookUp(server.lookUp(ROOT, 'd') ?? 0, name) !== null
    const sinceMs = this.#momentary.get(name)
    // A patrol gives a leftover a name of its own before it empties it.
    if (isThere && this.#awaitsDraft && name.startsWith('.mountlock-new-')) this.#takeForeign()
    if (isThere) this.#momentary.set(name, sinceMs ?? (executing?.name === 'patrol' ? -LEFTOVER_MS : nowMs))
    else if (sinceMs !== undefined) {
      this.#momentary.delete(name)
      if (executing?.name === 'patrol' && nowMs - sinceMs < LEFTOVER_MS)
        throw new Violation("another's file removed", `${name}, ${Math.round(nowMs - sinceMs)} ms after it was made`)
    }
  }

  /** As a process of that node and time namespace sees it. */
  processState(node: Node, pid: number, startTime: string | null, timeNamespace: string | null): ProcessState {
    for (const process of this.processes) {
      if (!process.alive || process.node !== node || process.pid !== pid) continue
      const seen = process.startTimeSeenFrom(timeNamespace)
      return startTime === null || seen === null || seen === startTime ? 'alive' : 'gone'
    }
    return 'gone'
  }

  /** Sure of its lock by its own clock. */
  #believes(hold: Hold): boolean {
    const { process, session } = hold
    return (
      process.alive &&
      !hold.isLost &&
      !hold.isReleasing &&
      !this.#broken.has(hold.generation) &&
      session.remainingMs(process.node.ownMs) > 0
    )
  }

  /** How much of its lease its machine slept through without noticing. */
  #unnoticedMs({ process, session }: Hold): number {
    return process.node.frozenMs - session.frozenMsAtBeat
  }

  /** Holds it by true time. */
  #isLive(hold: Hold): boolean {
    return this.#believes(hold) && hold.session.remainingMs(hold.process.node.ownMs) > this.#unnoticedMs(hold)
  }

  #readTop(): Top | null {
    const entries = this.#world.server.inodes.get(this.#lock)?.entries
    if (entries === undefined) return null
    let top: Top | null = null
    for (const [name, inode] of entries) {
      const generation = generationOf(name)
      const least: number = top?.generation ?? 1
      if (generation > least || (generation === least && (top === null || isFree(name))))
        top = { generation, free: isFree(name), inode }
    }
    return top
  }

  #onChange(directory: number, name: string): void {
    const { server, executing, executed } = this.#world
    if (directory !== this.#lock) {
      this.#checkBurial(name)
      // The lock directory is made, or taken away, by a rename of any name to its own.
      if (directory === server.lookUp(ROOT, 'd') && MOMENTARY.test(name)) this.#checkBeside(name)
      const lock = server.lookUp(server.lookUp(ROOT, 'd') ?? 0, 'P') ?? 0
      if (lock === this.#lock) return
      if (this.#foreign !== null) throw new Violation("another's lock removed", "the other library's")
      this.#lock = lock
      this.#top = this.#readTop()
      return
    }
    if (name === PLANTED && this.#isPlanted && server.lookUp(directory, name) === null)
      throw new Violation("another's file removed", `${PLANTED}, by ${executing?.actor.name}`)
    const generation = generationOf(name)
    if (generation === 0) return
    const free = isFree(name)
    const before = this.#top
    const inode = server.lookUp(directory, name)
    if (free && inode !== null && !this.#freed.has(generation)) this.#freed.set(generation, executed)
    // A name that comes back after its lock was broken decides nothing any more.
    if (!free && inode !== null && !this.#broken.has(generation)) this.#created.set(generation, executed)
    if (before !== null && generation < before.generation) return
    // What it was called before it became free.
    if (before !== null && before.free && !free && generation === before.generation) return
    const isTop = inode !== null && (before === null || generation > before.generation || free)
    const after = isTop ? { generation, free, inode } : this.#readTop()
    this.#top = after
    if (before === null || before.free) return
    if (after !== null && after.generation === before.generation && !after.free && after.inode === before.inode) return
    // To break a claim is to claim the next generation over exactly this one.
    const isBreak = executing?.name === 'break' && after !== null && after.generation === before.generation + 1
    if (isBreak) this.#broken.add(before.generation)
    for (const hold of this.#holds) {
      if (hold.generation !== before.generation || executing?.actor === hold.process || !hold.process.alive) continue
      this.#checkChange(hold, after, executing?.actor.name ?? 'a user')
    }
  }

  /** A session file may go only when the locks that are hard links to it say that it ended: others would watch it in vain. */
  #checkBurial(name: string): void {
    const { server, executing } = this.#world
    if (executing === null || this.#top === null || this.#top.free || !name.startsWith('.mountlock-41c29-')) return
    const { inode } = this.#top
    const isShown = server.inodes.get(inode)?.text.includes(`"id":"${name.slice(-16)}"`)
    const isThere = server.lookUp(server.lookUp(ROOT, 'd') ?? 0, name) !== null
    if (isShown && !isThere && !this.#marked.has(inode))
      throw new Violation('buried unmarked', `${executing.actor.name} removed ${name}, and ${this.#top.generation} says alive`)
  }

  #checkChange(hold: Hold, after: Top | null, by: string): void {
    const who = `${hold.process.name} holds ${hold.generation}`
    if (after === null || after.generation <= hold.generation) {
      if (this.#believes(hold) && this.#unnoticedMs(hold) === 0)
        throw new Violation("another's lock removed", `${who}, and ${by} removed it`)
    } else if (this.#isLive(hold)) {
      throw new Violation('live holder replaced', `${who} for sure, and ${by} created ${after.generation}`)
    }
  }

  onAcquired(hold: Hold): void {
    const { process, generation } = hold
    if (this.#world.trace !== null) this.#world.note(process.name, `main: ACQUIRED ${generation}`)
    if (this.#given.length === 0) this.onFirstAcquired()
    if (!this.#created.has(generation)) throw new Violation('acquired elsewhere', `${process.name} acquired ${generation}`)
    this.#checkToken(generation, process.name)
    // A machine that stood still during its last look does not know what came after, until its next heartbeat.
    if (this.#unnoticedMs(hold) > 0 && (this.#given.at(-1)?.token ?? 0) > generation)
      this.#superseded.set(hold, this.#world.nowMs)
    else if (!this.#broken.has(generation)) for (const other of this.#holds) this.#checkOverlap(hold, other)
    this.#holds.add(hold)
  }

  #checkOverlap(hold: Hold, other: Hold): void {
    if (!other.process.alive || other.isLost) {
      this.#holds.delete(other)
      return
    }
    if (other.process === hold.process || !this.#believes(other)) return
    // It lost its lock while its machine stood still: whether it has to know that by now, its heartbeats are asked (onBeat).
    if (this.#superseded.has(other) || this.#excused.has(other)) return
    if (this.#unnoticedMs(other) > 0) {
      this.#superseded.set(other, this.#world.nowMs)
      return
    }
    throw new Violation(
      'holder did not know',
      `${hold.process.name} acquired ${hold.generation} while ${other.process.name} is sure of ${other.generation}`,
    )
  }

  #checkToken(token: number, who: string): void {
    const decidedAt = this.#created.get(token) ?? 0
    for (let index = this.#given.length - 1; index >= 0; index--) {
      const other = this.#given[index] as Given
      if (other.token === token) throw new Violation('token twice', `${token} to ${other.who} and to ${who}`)
      if (other.token < token) {
        if (other.decidedAt > decidedAt) throw new Violation('tokens out of order', `${token} decided before ${other.token}`)
        this.#given.splice(index + 1, 0, { token, decidedAt, who })
        return
      }
      if (other.decidedAt < decidedAt) throw new Violation('tokens out of order', `${other.token} decided before ${token}`)
    }
    this.#given.unshift({ token, decidedAt, who })
  }

  /** An attempt is over and did not acquire: what it left is remembered, to be settled. */
  onNotAcquired(process: SimProcess, session: SimSession): void {
    // What a session held whose lease is over goes to the next one that watches it.
    if (session.remainingMs(process.node.ownMs) <= 0) return
    const top = this.#readTop()
    const entries = this.#world.server.inodes.get(this.#lock)?.entries
    if (top === null || top.free || !(entries?.has('.links') || entries?.has('.renames'))) return
    const names = [...(entries?.keys() ?? [])].filter((name) => generationOf(name) === top.generation)
    const text = this.#world.server.inodes.get(top.inode)?.text ?? ''
    // Marked as ended by others, or its file is gone, to which the entry leads by its name only.
    if (text.includes('"state":"ended"') || (!text.startsWith('{') && this.#isGone(session))) return
    if (!(names.join(' ') + text).includes(session.id)) return
    if (session.unsettled.some(({ unsettled }) => Number(unsettled.generation) === top.generation)) return
    throw new Violation('held without a holder', `${top.generation} is held by ${process.name}, which has not acquired it`)
  }

  /** Its generation became free, and before another process was given a higher one. */
  onReleased(hold: Hold): void {
    if (this.#unnoticedMs(hold) > 0) return // its machine stood still, and its next heartbeat would have told
    const { process, generation } = hold
    const freedAt = this.#freed.get(generation)
    const next = this.#given.find(
      ({ token, decidedAt }) => token > generation && decidedAt < (freedAt ?? Number.POSITIVE_INFINITY),
    )
    // Where the entry of a broken claim could not be removed, its holder still finds it.
    if (freedAt !== undefined && (next === undefined || this.#broken.has(generation))) return
    const why = next === undefined ? '' : ` and ${next.who} had ${next.token} before`
    throw new Violation('released what was lost', `${process.name} was told that it has released ${generation}${why}`)
  }

  /** A heartbeat that began after its machine stood still tells the holder. `last`: what the last one had left. */
  onBeat(session: SimSession, outcome: BeatOutcome, last: BeatTime, begun: { wallMs: number; frozenMs: number }): void {
    if (outcome.kind === 'retired') return
    for (const hold of session.holds) {
      if (!this.#superseded.has(hold) || hold.isLost || hold.isReleasing) continue
      const { node } = hold.process
      // It stood still once more during the heartbeat: the next one will tell.
      if (node.frozenMs !== begun.frozenMs) continue
      if (outcome.kind === 'alive') {
        // Its own clock stood still with the machine, and two others are left. If the server's clock was set back meanwhile, or
        // stamps are coarse, or writing leaves none, and the wall clock has not been set since, then none of them shows more than
        // the lease, and nothing that a heartbeat could ask would tell: only a look at the lock does.
        if (!this.#showsMoreThanLease(session, last, begun.wallMs)) this.#excused.add(hold)
        if (this.#excused.has(hold)) continue
        throw new Violation('heartbeat did not tell', `${hold.process.name} was replaced in ${hold.generation}, and goes on`)
      }
      // A share that was mounted anew cannot be told from the disk below it, where the file would come back: the lease runs out.
      const isSameMount = node.client.dev === session.session.dev
      if (outcome.code === 'ENOENT' && isSameMount && this.#isGone(session))
        throw new Violation(
          'heartbeat did not tell',
          `${hold.process.name} was replaced in ${hold.generation} and its session file removed, and goes on`,
        )
    }
  }

  /** By the stamp that the heartbeat has left on the server, whatever the protocol makes of it, or by the wall clock at its begin. */
  #showsMoreThanLease({ session }: SimSession, last: BeatTime, wallMs: number): boolean {
    const { server } = this.#world
    const file = server.lookUp(server.lookUp(ROOT, 'd') ?? 0, session.name)
    const stampMs = server.inodes.get(file ?? 0)?.modifiedMs ?? last.serverMs
    return Math.max(stampMs - last.serverMs, wallMs - last.wallMs) > leaseMs(session.record.timeoutIntervalMs)
  }

  #isGone(session: SimSession): boolean {
    const { server } = this.#world
    return server.lookUp(server.lookUp(ROOT, 'd') ?? 0, session.session.name) === null
  }

  /** After everything has healed and a while has passed. `isThorough`: also the leftovers that take long to be removed. */
  checkEnd(isThorough: boolean): void {
    const { server } = this.#world
    const directory = server.inodes.get(server.lookUp(ROOT, 'd') ?? 0)
    const lock = server.inodes.get(directory?.entries.get('P') ?? 0)
    if (directory === undefined || (lock === undefined && !this.#isPruned)) throw new Violation('left behind', 'the lock is gone')
    if (lock !== undefined) this.#checkLock(lock)
    if (isThorough) this.#checkDirectory([...directory.entries.keys()])
  }

  /** The lock is held by a process that lives and does not know it. `null`: it is not. */
  heldByNobody(): string | null {
    const { server } = this.#world
    const top = this.#readTop()
    if (top === null || top.free) return null
    const entries = server.inodes.get(this.#lock)?.entries.keys() ?? []
    const names = [...entries].filter((name) => generationOf(name) === top.generation)
    const text = names.join(' ') + server.inodes.get(top.inode)?.text
    for (const process of this.processes) {
      if (!process.alive || process.hold?.generation === top.generation) continue
      if ([...process.sessions].some(({ id, isEnded }) => text.includes(id) && !isEnded))
        return `${top.generation} is held by ${process.name}, which does not know it`
    }
    return null
  }

  #checkLock(lock: Inode): void {
    const nobodys = this.heldByNobody()
    if (nobodys !== null) throw new Violation('held without a holder', nobodys)
    if (lock.entries.size > ENTRIES_MAX)
      throw new Violation('left behind', `${lock.entries.size} entries: ${[...lock.entries.keys()].join(' ')}`)
  }

  #checkDirectory(names: string[]): void {
    const own = new Set<string>()
    for (const process of this.processes) if (process.alive) for (const { session } of process.sessions) own.add(session.name)
    // A process that dies in the last step of taking a lock away leaves a note of a hundred bytes (see dissolve.ts).
    const isNote = (name: string) => this.#isPruned && name.startsWith('.mountlock-dissolved-')
    const strangers = names.filter((name) => name !== 'P' && !own.has(name) && !isNote(name))
    if (strangers.length > 0) throw new Violation('left behind', strangers.join(' '))
  }
}
