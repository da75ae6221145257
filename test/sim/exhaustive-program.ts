/**
 * A process of the exhaustive search: the protocol's own code in segments. Between two segments all that a process knows
 * is plain data (its memory, its session, what it holds), so a local state is that data and the answers that came since.
 * A generator cannot be copied, but it can be made anew from the data and given the same answers again.
 */

import type { AttemptOutcome } from '../../src/protocol/acquire.js'
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
  phase: 'idle' | 'held' | 'done'
  missing: number
  memory: LockMemory
  session: Session | null
  sessionsMade: number
  held: { generation: bigint; entry: string } | null
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
  /** Heartbeats, and a clock that can jump. */
  hasBeats: boolean
  cleansUp: boolean
  startsWithoutLock: boolean
  jumpsMax: number
  /** The highest generation never shrinks, so that what a process remembers of it makes no difference once it looks again. */
  forgetsFloor: boolean
  /** So many steps of a time that passes for everybody; 0: no time passes but by jumps. */
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
  uid: 1000,
  user: null,
})

export const sessionId = (process: number, number: number) => `${process}e${number}`.padStart(16, '0')
export const lookId = (process: number) => `a${process}`.padStart(16, '0')

export class ExhaustiveProgram {
  readonly forgetsFloor: boolean
  readonly hasTicks: boolean
  readonly #protocol: ProtocolBundle
  readonly #rules: ProgramRules

  constructor(protocol: ProtocolBundle, rules: ProgramRules) {
    this.#protocol = protocol
    this.#rules = rules
    this.forgetsFloor = rules.forgetsFloor
    this.hasTicks = rules.ticksMax > 0
  }

  /** A session file that nobody has a name of yet, and the question whether the lock is a directory, where it always is one. */
  isPrivate(operation: Operation): boolean {
    const { startsWithoutLock, jumpsMax, ticksMax } = this.#rules
    if (startsWithoutLock || jumpsMax > 0 || ticksMax > 0) return false
    if (operation.op === 'stat') return operation.path === '/d/P'
    return operation.op === 'create' && operation.path.startsWith('/d/.mountlock-41c29-')
  }

  begin(acquisitions: number): Checkpoint {
    const memory = this.#protocol.newMemory()
    return { phase: 'idle', missing: acquisitions, memory, session: null, sessionsMade: 0, held: null, observations: [] }
  }

  segment(index: number, from: Checkpoint): Segment {
    const to = structuredClone(from)
    if (to.phase === 'held') return this.#hold(index, to)
    return to.session === null ? this.#makeSession(index, to) : this.#acquire(index, to, to.session)
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
      surroundings: { coherent: this.#rules.isCoherent, extraSilenceMs: 0, me: this.#owner(index), observations },
    }
  }

  *#makeSession(index: number, to: Checkpoint): Segment {
    const created = (yield* this.#protocol.createSession('/d', this.#owner(index), TERMS)) as Reply<Session>
    to.sessionsMade++
    if (created.ok) to.session = created.value
    return to
  }

  *#acquire(index: number, to: Checkpoint, session: Session): Segment {
    if (yield* this.#wantsBeat(session)) return yield* this.#beat(to, session)
    const observations: Observations = new Map(to.observations)
    const site = this.#site(index, to.memory, observations)
    const { outcome, hasClaimed } = yield* watched(this.#protocol.attempt(site, session, !this.#rules.isCoherent))
    if (this.hasTicks) to.observations = [...observations]
    if (outcome.kind === 'session-spent') {
      to.session = null
      yield* this.#protocol.endSession(session)
    } else if (outcome.kind === 'acquired') {
      to.phase = 'held'
      to.held = { generation: outcome.generation, entry: outcome.entry }
      if (this.#rules.cleansUp) yield* this.#protocol.cleanUp(site, outcome.below)
    }
    // Tries are counted, not successes: with arbitrary verdicts two processes could take turns for ever in vain.
    return hasClaimed && outcome.kind !== 'acquired' ? this.#letGo(to) : to
  }

  *#hold(index: number, to: Checkpoint): Segment {
    const session = to.session as Session
    if (yield* this.#wantsBeat(session)) return yield* this.#beat(to, session)
    const { generation, entry } = to.held as NonNullable<Checkpoint['held']>
    if (((yield { op: 'lease', session: session.record.id }) as number) > 0)
      yield* this.#protocol.release(this.#site(index, to.memory, new Map()), generation, session.record.id, entry)
    else yield* this.#lose(to, session)
    return this.#letGo(to)
  }

  *#wantsBeat(session: Session): Generator<ProgramStep, boolean, unknown> {
    if (!this.#rules.hasBeats) return false
    if (this.hasTicks && session.record.beat > this.#rules.beatsMax) return false
    return (yield { op: 'choose', ways: 2 }) === 1
  }

  #letGo(to: Checkpoint): Checkpoint {
    to.held = null
    to.missing--
    to.phase = to.missing === 0 ? 'done' : 'idle'
    return to
  }

  *#lose(to: Checkpoint, session: Session): Generator<ProgramStep, void, unknown> {
    to.session = null
    yield* this.#protocol.endSession(session)
  }

  *#beat(to: Checkpoint, session: Session): Segment {
    const outcome = yield* this.#protocol.beat(session)
    // Which number it is makes no difference where nobody compares them, and would make every state a new one.
    if (!this.hasTicks) session.record.beat = 1
    if (outcome.kind !== 'retired') return to
    const wasHeld = to.phase === 'held'
    yield* this.#lose(to, session)
    return wasHeld ? this.#letGo(to) : to
  }
}

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
