/**
 * A process of the exhaustive search: the protocol's own code in segments. Between two segments all that a process knows
 * is plain data (its memory, its session, what it holds), so a local state is that data and the answers that came since.
 * A generator cannot be copied, but it can be made anew from the data and given the same answers again.
 */

import { assert } from '../../src/assert.js'
import type { AttemptOutcome } from '../../src/protocol/acquire.js'
import type { LockListing } from '../../src/protocol/names.js'
import type { Clock, Operation, Protocol, Reply } from '../../src/protocol/operations.js'
import type { SessionOwner } from '../../src/protocol/record.js'
import type { Session } from '../../src/protocol/session.js'
import type { LockMemory, Observation, Observations, Site } from '../../src/protocol/site.js'
import type { ClaimName } from './process.js'
import type { ProtocolBundle } from './protocol.js'

/** Something that a process decides by itself: one of so many ways. */
export type Choice = { readonly op: 'choose'; readonly ways: number }
export type ProgramStep = Operation | Choice
export type Segment = Generator<ProgramStep, Checkpoint, unknown>

/** All that a process knows between two segments. */
export interface Checkpoint {
  /** `lost`: it knows that it holds nothing any more, and its session is to be ended. `leaving`: it takes the lock away. */
  phase: 'idle' | 'held' | 'lost' | 'leaving' | 'done'
  missing: number
  memory: LockMemory
  session: Session | null
  sessionsMade: number
  held: { generation: bigint; entry: string } | null
  /** Of which holder an administrator has decided to take the lock. */
  target: bigint | null
  /** A generation that it has seen to be free, as a waiter does, and will claim without another look. */
  seenFree: bigint | null
  /** What it has seen of others' heartbeats. */
  observations: [string, Observation][]
}

export interface ProgramRules {
  claim: ClaimName
  /** The last process claims in this way instead: it takes the lock for one of another kind. */
  intruder: ClaimName | null
  processes: number
  /** Names and listings are never stale. */
  isCoherent: boolean
  /** A listing reads the names, and then looks each of them up: those that are gone by then are not in it. */
  listsNameByName: boolean
  /** Heartbeats, and a clock that can jump. */
  hasBeats: boolean
  startsWithoutLock: boolean
  /** The last process is an administrator: takes the lock from its holder, or removes it, as often as others acquire it. */
  administrator: 'break' | 'prune' | null
  /**
   * The lock comes before one of Workbench's (`src/workbench`). That is one step, which may fail, and what it gives may vanish:
   * so the lock is given back at any moment. After that each process takes it away, if no other one uses it.
   */
  besideWorkbench: boolean
  /** A process that finds a lock of another kind takes it away if none holds it. */
  makesWay: boolean
  /** A process may look long before it tries. */
  looksBefore: boolean
  jumpsMax: number
  /** The highest generation never shrinks, so that what a process remembers of it makes no difference once it looks again. */
  forgetsFloor: boolean
  /** So many steps of a time that passes for all; 0: no time passes but by jumps. */
  ticksMax: number
  /** How many heartbeats each session may have then. */
  beatsMax: number
}

/** Long enough that one jump of the clock is longer than any interval. */
export const JUMP_MS = 1e6
const TERMS = { label: '', refreshRateMs: 1000, timeoutIntervalMs: 3000 }

/**
 * Where time passes: two ticks are longer than a silence that convicts, one is not even a lease. Clocks run at different
 * paces, as far as the margins allow, and are half a day apart.
 */
export const TICK_MS = 1700
const PACES = [0.965, 1, 0.98]
const APART_MS = 43_200_000
export const clockAt = (index: number, tick: number): Clock => {
  const ownMs = tick * TICK_MS * (PACES[index] as number)
  return { ownMs, wallMs: ownMs + index * APART_MS }
}

const ownerOf = (index: number, isOneHost: boolean): SessionOwner => ({
  // All on one host: then the question about a process is asked for every session, and its answer is the verdict.
  host: 'h',
  bootId: isOneHost ? 'b' : `b${index}`,
  pidNamespace: 'p',
  pid: index + 1,
  startTime: '1',
  timeNamespace: 't',
  userNamespace: 'u',
  uid: 1000,
  user: null,
})

export const sessionId = (process: number, number: number) => `${process}e${number}`.padStart(16, '0')

/** Random names are used once. So few of them are known at a time that the lowest one that no process knows can stand for a new one. */
export const NAMES_PER_PROCESS = 8
export const lookId = (process: number, number: number) => `a${process}${number}`.padStart(16, '0')

/** Random names, as bits: eight for each process. */
export type NameSet = number
export const NO_NAMES: NameSet = 0
export function namesUsedIn(text: string): NameSet {
  let names = NO_NAMES
  for (const [, process, number] of text.matchAll(/0{13}a(\d)(\d)/g))
    names |= 1 << (NAMES_PER_PROCESS * Number(process) + Number(number))
  return names
}
export function freshName(process: number, used: NameSet): number {
  for (let number = 0; number < NAMES_PER_PROCESS; number++)
    if ((used & (1 << (NAMES_PER_PROCESS * process + number))) === 0) return number
  throw new RangeError(`Expected at most ${NAMES_PER_PROCESS} names of process ${process} to be known at a time`)
}

export class ExhaustiveProgram {
  readonly forgetsFloor: boolean
  readonly hasTicks: boolean
  /** The lock is taken away and made again. */
  readonly comesAndGoes: boolean
  readonly #protocol: ProtocolBundle
  readonly #rules: ProgramRules

  constructor(protocol: ProtocolBundle, rules: ProgramRules) {
    this.#protocol = protocol
    this.#rules = rules
    this.forgetsFloor = rules.forgetsFloor
    this.hasTicks = rules.ticksMax > 0
    this.comesAndGoes = comesAndGoes(rules)
  }

  /** A session file of which no other process has the name yet, and the question whether the lock is a directory, where it always is one. */
  isPrivate(operation: Operation): boolean {
    const { startsWithoutLock, jumpsMax, ticksMax } = this.#rules
    if (startsWithoutLock || jumpsMax > 0 || ticksMax > 0) return false
    if (operation.op === 'stat') return operation.path === '/d' || (operation.path === '/d/P' && !this.comesAndGoes)
    return operation.op === 'create' && operation.path.startsWith('/d/.mountlock-41c29-')
  }

  begin(acquisitions: number): Checkpoint {
    const memory = this.#protocol.newMemory()
    return {
      phase: 'idle',
      missing: acquisitions,
      memory,
      session: null,
      sessionsMade: 0,
      held: null,
      target: null,
      seenFree: null,
      observations: [],
    }
  }

  segment(index: number, from: Checkpoint): Segment {
    const to = structuredClone(from)
    if (to.phase === 'held') return this.#hold(index, to)
    if (to.phase === 'lost') return this.#end(to, sessionOf(to))
    if (to.phase === 'leaving') return this.#takeAway(index, to)
    if (to.session === null) return this.#makeSession(index, to)
    if (this.#isAdministrator(index)) return this.#administer(index, to, to.session)
    return this.#acquire(index, to, to.session)
  }

  /** How long a process is sure of its locks, by its own clock. */
  leaseAt({ session }: Checkpoint, ownMs: number): number {
    if (session === null) return 0
    if (!this.hasTicks) return session.lastBeat.ownMs === ownMs ? 1000 : 0
    return Math.max(0, session.lastBeat.ownMs + this.#protocol.leaseMs(TERMS.timeoutIntervalMs) - ownMs)
  }

  #owner(index: number): SessionOwner {
    return ownerOf(index, !this.hasTicks)
  }

  #claim(index: number): ClaimName {
    const { claim, intruder, processes } = this.#rules
    return intruder !== null && index === processes - 1 ? intruder : claim
  }

  #site(index: number, memory: LockMemory, observations: Observations): Site {
    return {
      path: '/d/P',
      directory: '/d',
      dev: 1,
      mode: 0o755,
      claim: this.#protocol[this.#claim(index)],
      memory,
      surroundings: {
        coherent: this.#rules.isCoherent,
        listsAtOnce: !this.#rules.listsNameByName,
        extraSilenceMs: 0,
        me: this.#owner(index),
        observations,
      },
    }
  }

  *#makeSession(index: number, to: Checkpoint): Segment {
    const created = (yield* this.#protocol.createSession('/d', this.#owner(index), TERMS)) as Reply<Session>
    to.sessionsMade++
    if (created.ok) to.session = created.value
    return to
  }

  #isAdministrator(index: number): boolean {
    return this.#rules.administrator !== null && index === this.#rules.processes - 1
  }

  /** As `locktester break` and `locktester prune` do. */
  *#administer(index: number, to: Checkpoint, session: Session): Segment {
    const site = this.#site(index, this.#protocol.newMemory(), new Map())
    if (this.#rules.administrator === 'prune') {
      // One round of it, and the next one from the beginning: until it is gone.
      const outcome = yield* this.#protocol.prune(site)
      return outcome.kind === 'pruned' ? this.#letGo(to) : to
    }
    if (to.target !== null) {
      yield* this.#protocol.breakHolder(site, session, to.target)
      return this.#letGo(to)
    }
    const listed = (yield* this.#protocol.freshListing(site)) as Reply<LockListing>
    if (listed.ok && !listed.value.free) to.target = listed.value.highest
    return to
  }

  *#acquire(index: number, to: Checkpoint, session: Session): Segment {
    if (yield* this.#wantsBeat(session)) return yield* this.#beat(to, session)
    if (yield* this.#wantsLook(to)) return yield* this.#look(to)
    const observations: Observations = new Map(to.observations)
    const site = this.#site(index, to.memory, observations)
    const { outcome, hasClaimed } = yield* watched(this.#protocol.attempt(site, session, !this.#rules.isCoherent, to.seenFree))
    to.seenFree = null
    if (this.hasTicks) to.observations = [...observations]
    if (outcome.kind === 'session-spent') {
      to.session = null
      yield* this.#protocol.endSession(session)
    } else if (outcome.kind === 'acquired') {
      to.phase = 'held'
      to.held = { generation: outcome.generation, entry: outcome.entry }
      if (this.comesAndGoes) yield* this.#protocol.cleanUp(site, outcome.below)
    } else if (outcome.kind === 'foreign' && this.#rules.makesWay) yield* this.#protocol.dissolve(site, site.claim.kind)
    // Tries are counted, not successes: with arbitrary verdicts two processes could take turns for ever in vain.
    return hasClaimed && outcome.kind !== 'acquired' ? this.#letGo(to) : to
  }

  *#wantsLook({ seenFree }: Checkpoint): Generator<ProgramStep, boolean, unknown> {
    return this.#rules.looksBefore && seenFree === null && (yield { op: 'choose', ways: 2 }) === 1
  }

  /** As `glanceAt` of `src/link/line.ts`. */
  *#look(to: Checkpoint): Segment {
    const listed = (yield { op: 'list', path: '/d/P' }) as Reply<string[]>
    const seen = listed.ok ? this.#protocol.parseListing(listed.value) : null
    if (seen !== null && seen.kind !== null && !seen.crowded && seen.free) to.seenFree = seen.highest
    return to
  }

  *#hold(index: number, to: Checkpoint): Segment {
    const session = sessionOf(to)
    if (yield* this.#wantsBeat(session)) return yield* this.#beat(to, session)
    const { generation, entry } = to.held as NonNullable<Checkpoint['held']>
    if (((yield { op: 'lease', sessionId: session.record.id }) as number) <= 0) return this.#lose(to)
    yield* this.#protocol.release(this.#site(index, to.memory, new Map()), { generation, sessionId: session.record.id }, entry)
    if (!this.#rules.besideWorkbench) return this.#letGo(to)
    to.held = null
    to.phase = 'leaving'
    return to
  }

  *#takeAway(index: number, to: Checkpoint): Segment {
    const outcome = yield* this.#protocol.prune(this.#site(index, this.#protocol.newMemory(), new Map()))
    const isLeft = outcome.kind === 'pruned' || ((yield { op: 'choose', ways: 2 }) as number) === 1
    return isLeft ? this.#letGo(to) : to
  }

  *#wantsBeat(session: Session): Generator<ProgramStep, boolean, unknown> {
    if (!this.#rules.hasBeats) return false
    if (this.hasTicks && session.record.beat > this.#rules.beatsMax) return false
    return (yield { op: 'choose', ways: 2 }) === 1
  }

  #letGo(to: Checkpoint): Checkpoint {
    to.held = null
    to.missing--
    return this.#goOn(to)
  }

  #goOn(to: Checkpoint): Checkpoint {
    to.phase = to.missing === 0 ? 'done' : 'idle'
    return to
  }

  /** The holder is told before all others. */
  #lose(to: Checkpoint): Checkpoint {
    if (to.held !== null) to.missing--
    to.held = null
    to.phase = 'lost'
    return to
  }

  *#end(to: Checkpoint, session: Session): Segment {
    to.session = null
    yield* this.#protocol.endSession(session)
    return this.#goOn(to)
  }

  *#beat(to: Checkpoint, session: Session): Segment {
    const outcome = yield* this.#protocol.beat(session)
    // Which number it is makes no difference where no process compares them, and would make every state a new one.
    if (!this.hasTicks) session.record.beat = 1
    return outcome.kind === 'retired' ? this.#lose(to) : to
  }
}

/** The lock directory is taken away, and made again. Then what is in it is removed by the processes that do it, and not by any process at any time. */
export const comesAndGoes = ({ administrator, makesWay, besideWorkbench }: ProgramRules): boolean =>
  administrator === 'prune' || makesWay || besideWorkbench

/** Runs an attempt and tells whether it has tried to claim a generation: an attempt that only looked leaves nothing. */
function* watched(
  attempt: Protocol<AttemptOutcome>,
): Generator<Operation, { outcome: AttemptOutcome; hasClaimed: boolean }, unknown> {
  let hasClaimed = false
  let step = attempt.next()
  while (!step.done) {
    if (claimOf(step.value) > 0) hasClaimed = true
    step = attempt.next(yield step.value)
  }
  return { outcome: step.value, hasClaimed }
}

/** The generation that an operation claims, 0: none. */
export function claimOf(operation: Operation): number {
  const path =
    operation.op === 'link' || operation.op === 'rename' ? operation.to : operation.op === 'symlink' ? operation.path : ''
  const name = path.slice(path.lastIndexOf('/') + 1)
  return path.startsWith('/d/P/') && !name.endsWith('.free') ? Number(/^\d+/.exec(name)?.[0] ?? 0) : 0
}

/** Of a process that holds, or has lost what it held. */
function sessionOf({ session, phase }: Checkpoint): Session {
  assert(session !== null, 'a session that holds, or has held', phase)
  return session
}
