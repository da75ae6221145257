/**
 * A process that uses link-based locks the way the library does: the protocol's own code, run by two threads. The main
 * thread acquires, holds, works and releases (as src/link/known-lock.ts and link-hold.ts do), patrols the directory beside that
 * (patrol.ts) and looks at its locks (link-session.ts); the heartbeat thread keeps its sessions alive and settles what is in
 * doubt (as src/mounts/heartbeat-thread.ts does).
 */

import { assert } from '../../src/assert.js'
import type { AttemptOutcome } from '../../src/protocol/acquire.js'
import type { FileStatus, LocalQuestion, Reply } from '../../src/protocol/operations.js'
import type { SessionOwner } from '../../src/protocol/record.js'
import type { Session } from '../../src/protocol/session.js'
import type { UnsettledLock } from '../../src/protocol/settle.js'
import type { LockMemory, Observations, Site, Surroundings, Unsettled } from '../../src/protocol/site.js'
import type { Faults } from './faults.js'
import type { Node } from './node.js'
import type { Hold, Properties } from './properties.js'
import type { ProtocolBundle } from './protocol.js'
import type { Actor, Step, Thread, World } from './world.js'

export type Program<Result = void> = Generator<Step, Result, unknown>

export const DIRECTORY = '/d'
export const LOCK = '/d/P'

export type ClaimName = 'hardLinkClaim' | 'symlinkClaim' | 'renameClaim'

export interface ProcessTerms {
  refreshRateMs: number
  timeoutIntervalMs: number
  holdMsMax: number
  thinkMsMax: number
  claim: ClaimName
}

/** `nextOwnMs`: when it is looked at again. */
type InDoubt = UnsettledLock & { nextOwnMs: number }

/** A session as both threads see it: what the library keeps in shared memory. */
export class SimSession {
  readonly session: Session
  leaseEndOwnMs: number
  isOver = false
  takesNoMore = false
  isEnded = false
  readonly holds = new Set<Hold>()
  unsettled: InDoubt[] = []
  countsLinks = false
  nextBeatOwnMs: number
  /** For the checkers alone: how long its machine had stood still in all when its last completed heartbeat began. */
  frozenMsAtBeat: number

  constructor(session: Session, leaseMs: number, frozenMsAtBeat: number) {
    this.session = session
    this.leaseEndOwnMs = session.lastBeat.ownMs + leaseMs
    this.nextBeatOwnMs = session.lastBeat.ownMs + session.record.refreshRateMs
    this.frozenMsAtBeat = frozenMsAtBeat
  }

  get id(): string {
    return this.session.record.id
  }

  remainingMs(ownMs: number): number {
    return this.isOver ? 0 : Math.max(0, this.leaseEndOwnMs - ownMs)
  }
}

const SESSIONS_TRIED_MAX = 4
const RETRIES_PER_INTERVAL = 4

const describeOutcome = (outcome: AttemptOutcome) =>
  `${outcome.kind} ${'why' in outcome ? outcome.why : ''}${'code' in outcome ? outcome.code : ''}`

export class SimProcess implements Actor {
  readonly node: Node
  readonly name: string
  readonly pid: number
  readonly uid: number
  alive = true
  stoppedUntilMs = 0
  acquired = 0
  /** How many acquisitions the main thread is to make; more may be added. */
  goal: number
  isWaiting = false
  /** Uses another kind of lock than the others, and is to be refused. */
  isIntruder = false
  readonly sessions = new Set<SimSession>()
  hold: Hold | null = null
  readonly memory: LockMemory
  readonly #owner: SessionOwner
  readonly #terms: ProcessTerms
  readonly #world: World
  readonly #protocol: ProtocolBundle
  readonly #properties: Properties
  /** What was seen of others, by whatever looked: one memory for the whole process, as in the library. */
  readonly #observations: Observations = new Map()
  readonly #leftovers: Observations = new Map()
  #session: SimSession | null = null
  #dev: number
  #endings: SimSession[] = []
  #isPatrolling = false
  #knownSite: Site | null = null
  #siteFaults: Faults | null = null
  #heart: Thread | null = null
  #main: Thread | null = null

  constructor(
    world: World,
    node: Node,
    name: string,
    { pid, uid, startTime, timeNamespace }: Pick<SessionOwner, 'pid' | 'uid' | 'startTime' | 'timeNamespace'>,
    goal: number,
    terms: ProcessTerms,
    protocol: ProtocolBundle,
    properties: Properties,
  ) {
    this.node = node
    this.name = name
    this.pid = pid
    this.uid = uid
    this.goal = goal
    this.#terms = terms
    this.#world = world
    this.#protocol = protocol
    this.#properties = properties
    this.memory = protocol.newMemory()
    this.#dev = node.client.dev
    const host = node.name
    const view = { bootId: node.bootId, pidNamespace: 'pid:1', timeNamespace, userNamespace: 'user:1' }
    this.#owner = { host, ...view, pid, startTime, uid, user: 'user' }
  }

  /** As a process of that time namespace sees it. */
  startTimeSeenFrom(timeNamespace: string | null): string | null {
    const { startTime } = this.#owner
    return startTime === null || timeNamespace === this.#owner.timeNamespace ? startTime : `${startTime} shifted`
  }

  start(delayMs: number): void {
    this.#main = this.#world.spawn(this, 'main', this.#life(), delayMs)
    this.#heart = this.#world.spawn(this, 'heart', this.#heartbeats(), delayMs)
  }

  /** The main thread has something to do again. */
  wake(): void {
    this.isWaiting = false // from now on, even if its machine stands still
    if (this.#main !== null) this.#world.wake(this.#main)
  }

  answer(question: LocalQuestion, thread: Thread): unknown {
    switch (question.op) {
      case 'clock':
        return { ownMs: this.node.ownMs, wallMs: this.node.wallMs }
      case 'name':
        return this.#world.random.name()
      case 'process':
        return this.#properties.processState(this.node, question.pid, question.startTime, this.#owner.timeNamespace)
      case 'lease':
        for (const session of this.sessions) if (session.id === question.sessionId) return session.remainingMs(this.node.ownMs)
        return 0
      case 'wanted':
        return this.node.ownMs < thread.wantedUntilMs
    }
  }

  #surroundings(observations: Observations): Surroundings {
    const { faults } = this.#world
    const extraSilenceMs = faults.nocto ? faults.attributeCacheMs : 0
    const { isCoherent } = this.#properties
    return {
      coherent: isCoherent,
      listsAtOnce: isCoherent && !faults.listsNameByName,
      extraSilenceMs,
      me: this.#owner,
      observations,
    }
  }

  /** The same one for as long as nothing about it changes, as in the library. */
  #site(): Site {
    const { faults } = this.#world
    if (this.#knownSite?.dev !== this.#dev || this.#siteFaults !== faults) this.#knownSite = this.#makeSite()
    this.#siteFaults = faults
    return this.#knownSite
  }

  #makeSite(): Site {
    return {
      path: LOCK,
      directory: DIRECTORY,
      dev: this.#dev,
      mode: 0o755,
      claim: this.#protocol[this.#terms.claim],
      memory: this.memory,
      surroundings: this.#surroundings(this.#observations),
    }
  }

  *#life(): Program {
    for (;;) {
      while (this.acquired < this.goal) {
        yield { op: 'sleep', ms: this.#world.random.logarithmic(0.1, this.#terms.thinkMsMax) }
        if (this.#world.random.chance(this.#world.faults.inspections)) yield* this.#protocol.inspect(this.#site())
        if (this.#world.random.chance(this.#world.faults.administration)) this.#administer()
        const hold = yield* this.#acquire()
        if (hold === null) continue
        this.acquired++
        yield* this.#work(hold)
        yield* this.#release(hold)
      }
      this.isWaiting = true
      yield { op: 'doze', ms: 1e12 }
      this.isWaiting = false
    }
  }

  /** As `locktester break` and `locktester prune` do: with a session of their own, which ends with them. */
  #administer(): void {
    const isBreak = this.#world.random.chance(0.4)
    this.#world.spawn(this, isBreak ? 'break' : 'prune', this.#maintain(isBreak), this.#world.random.logarithmic(0.1, 1000))
  }

  *#maintain(isBreak: boolean): Program {
    const session = yield* this.#makeSession()
    if (session === null) return
    const site = { ...this.#makeSite(), memory: this.#protocol.newMemory() }
    if (isBreak) {
      const listed = yield* this.#protocol.freshListing(site)
      const token = listed.ok ? listed.value.highest : null
      if (token !== null) yield* this.#protocol.breakHolder(site, session.session, token)
    } else yield* this.#protocol.prune(site)
    session.takesNoMore = true
    this.#endIfSpent(session)
  }

  /** Tries until it is acquired or given up on. */
  *#acquire(): Program<Hold | null> {
    const { random } = this.#world
    const patienceMs = random.chance(this.#world.faults.givenUp) ? random.logarithmic(0.1, this.#terms.timeoutIntervalMs) : 1e12
    const main = this.#main as Thread
    main.wantedUntilMs = this.node.ownMs + patienceMs
    let waitMs = 20
    for (let tries = 0; ; tries++) {
      const outcome = yield* this.#attempt(tries > 0)
      if (typeof outcome !== 'string') return outcome
      if (this.node.ownMs >= main.wantedUntilMs) return null
      yield { op: 'sleep', ms: waitMs * random.between(0.8, 1.2) }
      waitMs = Math.min(waitMs * 1.7, this.#terms.timeoutIntervalMs / 5)
      if (random.chance(this.#world.faults.inspections)) yield* this.#protocol.inspect(this.#site())
    }
  }

  /** As `KnownLock.tryTake`: with another session where one is spent. */
  *#attempt(fresh: boolean): Program<Hold | string> {
    for (let tries = 0; tries < SESSIONS_TRIED_MAX; tries++) {
      const session = yield* this.#usableSession()
      if (session === null) return 'no session'
      const site = this.#site()
      const outcome = (yield* this.#protocol.attempt(site, session.session, fresh)) as AttemptOutcome
      const { unsettled } = this.memory
      if (unsettled !== null) this.#settleLater(unsettled)
      if (outcome.kind === 'acquired') {
        if (outcome.below.length > 0) this.#cleanUpLater(site, outcome.below)
        if (session.remainingMs(this.node.ownMs) <= 0) {
          this.#expire(session) // as `LinkHold.remainingMs` does
          return 'lease'
        }
        return this.#held(session, Number(outcome.generation), outcome.entry)
      }
      this.#properties.onNotAcquired(this, session)
      if (this.#world.trace !== null) this.#world.note(this.name, `main: ${describeOutcome(outcome)}`)
      if (outcome.kind === 'foreign') yield* this.#makeWay()
      if (outcome.kind !== 'session-spent') return outcome.kind
      session.takesNoMore = true
      this.#endIfSpent(session)
      this.#session = null
    }
    return 'sessions vanish'
  }

  /** As `Changeover` does: what was left of a lock that was pruned, or of one of another kind, makes way if no process holds it. */
  *#makeWay(): Program {
    const surroundings = this.#surroundings(this.#observations)
    const place = { path: LOCK, directory: DIRECTORY, surroundings }
    yield* this.#protocol.dissolve(place, this.#protocol[this.#terms.claim].kind)
  }

  #held(session: SimSession, generation: number, entry: string): Hold {
    assert(this.hold === null, 'one lock at a time', this.hold?.generation)
    assert(!session.isEnded, 'a session that lives', session.id)
    const hold: Hold = { process: this, session, generation, entry, isReleasing: false, isLost: false }
    session.holds.add(hold)
    this.hold = hold
    this.#properties.onAcquired(hold)
    return hold
  }

  *#usableSession(): Program<SimSession | null> {
    const present = this.#session
    if (present !== null && !present.takesNoMore && present.remainingMs(this.node.ownMs) > 0) return present
    this.#session = null
    if (!this.node.client.isMounted) return null // as `Directories.look` does
    this.#dev = this.node.client.dev
    const session = yield* this.#makeSession()
    this.#session = session
    if (session !== null && !this.#isPatrolling) {
      this.#isPatrolling = true
      this.#world.spawn(this, 'patrol', this.#patrols())
    }
    return session
  }

  *#makeSession(): Program<SimSession | null> {
    const { refreshRateMs, timeoutIntervalMs } = this.#terms
    const { frozenMs } = this.node
    const created = (yield* this.#protocol.createSession(DIRECTORY, this.#owner, {
      label: '',
      refreshRateMs,
      timeoutIntervalMs,
    })) as Reply<Session>
    if (!created.ok || created.value.dev !== this.#dev) return null
    const session = new SimSession(created.value, this.#protocol.leaseMs(timeoutIntervalMs), frozenMs)
    this.sessions.add(session)
    if (this.#heart !== null) this.#world.wake(this.#heart)
    return session
  }

  *#work(hold: Hold): Program {
    const { random } = this.#world
    for (let pieces = random.whole(3); pieces >= 0; pieces--) {
      yield { op: 'sleep', ms: random.logarithmic(0.1, this.#terms.holdMsMax) }
      if (this.#isLost(hold)) return
      if (random.chance(this.#world.faults.inspections)) yield* this.#protocol.inspect(this.#site())
    }
  }

  #isLost(hold: Hold): boolean {
    if (!hold.isLost && hold.session.remainingMs(this.node.ownMs) <= 0) this.#expire(hold.session)
    return hold.isLost
  }

  #expire(session: SimSession): void {
    session.isOver = true
    session.takesNoMore = true
    for (const hold of session.holds) this.lose(hold)
  }

  lose(hold: Hold): void {
    if (hold.isLost) return
    if (!hold.isReleasing) hold.isLost = true
    hold.session.holds.delete(hold)
    this.#endIfSpent(hold.session)
  }

  *#release(hold: Hold): Program {
    if (this.#isLost(hold)) {
      this.#world.note(this.name, `main: lost ${hold.generation}`)
      this.hold = null
      return
    }
    hold.isReleasing = true
    const generation = BigInt(hold.generation)
    const held = { generation, sessionId: hold.session.id }
    const outcome = yield* this.#protocol.release(this.#site(), held, hold.entry)
    if (outcome.kind === 'unsettled') this.#settleLater(held)
    // As `LinkHold.release`: what was done after the lease may have been another process's lock.
    const isInTime = hold.session.remainingMs(this.node.ownMs) > 0
    if (outcome.kind === 'released' && isInTime) this.#properties.onReleased(hold)
    this.hold = null
    hold.session.holds.delete(hold)
    this.#endIfSpent(hold.session)
  }

  #settleLater(unsettled: Unsettled): void {
    for (const session of this.sessions) {
      if (session.id !== unsettled.sessionId || session.isEnded) continue
      if (session.unsettled.some((lock) => lock.unsettled.generation === unsettled.generation)) continue
      const view = { path: LOCK, directory: DIRECTORY, dev: this.#dev, surroundings: this.#surroundings(new Map()) }
      const nextOwnMs = this.node.ownMs + session.session.record.refreshRateMs
      session.unsettled = [...session.unsettled, { view, unsettled, inVainSinceMs: null, nextOwnMs }]
      if (this.#heart !== null) this.#world.wake(this.#heart)
    }
  }

  #endIfSpent(session: SimSession): void {
    if (!session.takesNoMore || session.holds.size > 0 || session.isEnded || this.#endings.includes(session)) return
    this.#endings.push(session)
    if (this.#heart !== null) this.#world.wake(this.#heart)
  }

  #cleanUpLater(site: Site, below: string[]): void {
    // Where directories are to get crowded, clean-up often does not come to it.
    if (this.#world.faults.crowded && this.#world.random.chance(0.9)) return
    this.#world.spawn(this, 'clean-up', this.#protocol.cleanUp(site, below))
  }

  *#heartbeats(): Program {
    for (;;) {
      const ending = this.#endings.shift()
      if (ending !== undefined) {
        yield* this.#end(ending)
        continue
      }
      const ownMs = this.node.ownMs
      let due: SimSession | null = null
      for (const session of this.sessions) if (due === null || session.nextBeatOwnMs < due.nextBeatOwnMs) due = session
      if (due !== null && due.nextBeatOwnMs <= ownMs) {
        yield* this.#beat(due)
        continue
      }
      const inDoubt = this.#nextInDoubt()
      if (inDoubt !== null && inDoubt.lock.nextOwnMs <= ownMs) {
        yield* this.#settle(inDoubt)
        continue
      }
      const nextOwnMs = Math.min(due?.nextBeatOwnMs ?? 1e12, inDoubt?.lock.nextOwnMs ?? 1e12)
      yield { op: 'doze', ms: Math.max(0.1, nextOwnMs - ownMs) }
    }
  }

  #nextInDoubt(): { session: SimSession; lock: InDoubt } | null {
    let next: { session: SimSession; lock: InDoubt } | null = null
    for (const session of this.sessions) {
      if (session.isOver) continue // everything ends with it
      for (const lock of session.unsettled) if (next === null || lock.nextOwnMs < next.lock.nextOwnMs) next = { session, lock }
    }
    return next
  }

  *#settle({ session, lock }: { session: SimSession; lock: InDoubt }): Program {
    const { refreshRateMs, timeoutIntervalMs } = session.session.record
    const outcome = yield* this.#protocol.settleAgain(lock, timeoutIntervalMs)
    lock.nextOwnMs = this.node.ownMs + refreshRateMs
    if (outcome === 'settled') session.unsettled = session.unsettled.filter((other) => other !== lock)
    if (outcome !== 'overdue') return
    session.takesNoMore = true
    this.#endIfSpent(session)
  }

  *#beat(watched: SimSession): Program {
    if (watched.isOver) return yield* this.#end(watched)
    const heldBefore = watched.holds.size
    const { frozenMs, wallMs } = this.node
    const { lastBeat } = watched.session
    const outcome = yield* this.#protocol.beat(watched.session)
    const { refreshRateMs, timeoutIntervalMs } = watched.session.record
    this.#properties.onBeat(watched, outcome, lastBeat, { frozenMs, wallMs })
    if (outcome.kind === 'retired' || watched.isOver) {
      this.#expire(watched)
      return yield* this.#end(watched)
    }
    if (outcome.kind === 'failed') {
      watched.nextBeatOwnMs = this.node.ownMs + refreshRateMs / RETRIES_PER_INTERVAL
      return
    }
    watched.frozenMsAtBeat = frozenMs
    watched.leaseEndOwnMs = watched.session.lastBeat.ownMs + this.#protocol.leaseMs(timeoutIntervalMs)
    if (outcome.links > 1) watched.countsLinks = true
    if (watched.countsLinks && watched.holds.size === heldBefore && outcome.links < 1 + heldBefore)
      this.#world.spawn(this, 'look', this.#lookAtEach(watched))
    // Where link counts do not tell.
    if (this.#terms.claim !== 'hardLinkClaim' && watched.holds.size > 0)
      this.#world.spawn(this, 'look', this.#lookAtEach(watched))
    watched.nextBeatOwnMs = Math.max(this.node.ownMs, watched.session.lastBeat.ownMs + refreshRateMs)
  }

  *#lookAtEach(session: SimSession): Program {
    for (const hold of [...session.holds]) {
      const listed = yield* this.#protocol.freshListing(this.#site())
      const isThere = listed.ok
        ? listed.value.crowded || (listed.value.highest === BigInt(hold.generation) && !listed.value.free)
        : listed.code !== 'ENOENT'
      if (isThere) continue
      // Where the share is not mounted just now that was the disk below it.
      const file = (yield { op: 'stat', path: session.session.path }) as Reply<FileStatus>
      if (file.ok && file.value.dev === session.session.dev) this.lose(hold)
    }
  }

  *#end(session: SimSession): Program {
    assert(!session.isEnded, 'a session that ends once', session.id)
    session.isOver = true
    this.sessions.delete(session)
    session.isEnded = true
    this.#endings = this.#endings.filter((other) => other !== session)
    for (const hold of session.holds) this.lose(hold)
    yield* this.#protocol.endSession(session.session)
  }

  /** Every timeout-interval, as long as there is a session in the directory; not in the heartbeat thread. */
  *#patrols(): Program {
    while (this.#session !== null) {
      const own = [...this.sessions].map(({ session }) => session.name)
      const surroundings = this.#surroundings(this.#observations)
      yield* this.#protocol.patrol(DIRECTORY, own, surroundings, this.#leftovers)
      yield { op: 'sleep', ms: this.#terms.timeoutIntervalMs }
    }
    this.#isPatrolling = false
  }
}
