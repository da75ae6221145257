/**
 * The life of one cluster, from one seed: a safety phase in which everything may fail, then a liveness phase in which
 * everything heals, and each process must get the lock again.
 */

import { chooseFaults, type Faults, NO_FAULTS } from './faults.js'
import type { Node } from './node.js'
import { type ClaimName, type ProcessTerms, SimProcess } from './process.js'
import { Properties, Violation } from './properties.js'
import type { ProtocolBundle } from './protocol.js'
import { Random } from './random.js'
import { FileServer, ROOT, UID } from './server.js'
import { TicketAdversary } from './tickets.js'
import { Trace } from './trace.js'
import { type Actor, type Refusal, type Thread, World } from './world.js'

export interface LifePlan {
  seed: number
  nodes: number
  acquisitions: number
  faults: Faults
  /** Tickets of waiters come and go at random. */
  hasTickets?: boolean
  /** Also wait for what is removed only after a long time. */
  isThorough: boolean
  /** Chosen by chance where it is absent. */
  claim?: ClaimName
  isOneMachine?: boolean
  /** From one change on, by its number, so many of its thread are answered with an error. Then no lock may be left held by no process for longer than two intervals. */
  refusal?: PlannedRefusal
}

export interface PlannedRefusal extends Refusal {
  change: number
  times: number
}

export interface LifeReport {
  violation: Violation | null
  acquired: number
  operations: number
  /** Changes that were asked for, each with its thread: `main: link`. */
  changes: string[]
  trace: Trace | null
}

const TIMEOUT_MS = 6000
/** Acquisitions that each process has to make after everything has healed. */
const CONVERGING = 2

export function planLife(seed: number, nodes: number, acquisitions: number): LifePlan {
  const random = new Random(seed ^ 0x5eed)
  const faults = chooseFaults(random)
  const isThorough = random.chance(1 / 16)
  return { seed, nodes, acquisitions, faults, isThorough, hasTickets: random.chance(1 / 3) }
}

export function runLife(plan: LifePlan, protocol: ProtocolBundle, traceLinesMax = 0): LifeReport {
  const trace = traceLinesMax === 0 ? null : new Trace(traceLinesMax)
  const life = new Life(plan, protocol, trace)
  let violation: Violation | null = null
  try {
    life.run()
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = error
  }
  const acquired = life.properties.processes.reduce((sum, process) => sum + process.acquired, 0)
  return { violation, acquired, operations: life.world.executed, changes: life.changes, trace }
}

class Life {
  readonly world: World
  readonly properties: Properties
  readonly changes: string[] = []
  readonly #plan: LifePlan
  readonly #protocol: ProtocolBundle
  readonly #terms: ProcessTerms
  #pids = 100

  constructor(plan: LifePlan, protocol: ProtocolBundle, trace: Trace | null) {
    this.#plan = plan
    this.#protocol = protocol
    this.world = new World(plan.seed, plan.faults, TIMEOUT_MS, trace)
    const { random } = this.world
    this.#terms = {
      refreshRateMs: TIMEOUT_MS / 3,
      timeoutIntervalMs: TIMEOUT_MS,
      holdMsMax: random.pick([1, 1, 20, 20, 500, 500, 5000]),
      thinkMsMax: random.pick([0.2, 5, 200]),
      claim: random.pick(['hardLinkClaim', 'hardLinkClaim', 'symlinkClaim', 'renameClaim'] as const),
      ...(plan.claim !== undefined && { claim: plan.claim }),
    }
    this.#prepare()
    // One machine with processes beside each other, or a node for each: what is local is coherent.
    const isOneMachine = plan.isOneMachine ?? (plan.faults.staleCache === 0 && random.chance(0.15))
    this.properties = new Properties(this.world, isOneMachine)
    const nodes = isOneMachine ? 1 : plan.nodes
    for (let index = 0; index < nodes; index++) this.world.addNode(`n${index}`)
    for (let index = 0; index < plan.nodes; index++)
      this.#start(this.world.nodes[index % nodes] as Node, ++this.#pids, plan.acquisitions)
    if (plan.faults.otherKind) this.#addIntruder()
    if (plan.refusal !== undefined) this.#refuse(plan.refusal)
    if (plan.hasTickets) new TicketAdversary(this.world, plan.seed).start()
    this.world.onCrash = (actor, samePid) => this.#restart(actor as SimProcess, samePid)
    this.world.onFileDeleted = () => this.#deleteSessionFile()
    this.world.onReboot = (node) => {
      for (const process of [...this.properties.processes]) if (process.node === node) this.world.crash(process)
    }
  }

  #refuse(refusal: PlannedRefusal): void {
    let refused: Thread | null = null
    let left = refusal.times
    this.world.refuses = ({ op }, thread) => {
      this.changes.push(`${thread.name}: ${op}`)
      if (this.changes.length - 1 === refusal.change) refused = thread
      return thread === refused && left-- > 0 ? refusal : null
    }
    this.#watchForNobody(null, 0)
  }

  #watchForNobody(before: string | null, sinceMs: number): void {
    const { world, properties } = this
    const now = properties.heldByNobody()
    const beganMs = now !== null && now === before ? sinceMs : world.nowMs
    if (now !== null && world.nowMs - beganMs > 2 * TIMEOUT_MS) throw new Violation('held without a holder', now)
    world.after(TIMEOUT_MS / 20, () => this.#watchForNobody(now, beganMs))
  }

  #prepare(): void {
    const { server, random } = this.world
    server.makeDirectory(ROOT, 'd', 0o755)
    this.world.diskBelow = () => this.#diskBelow()
    this.world.onStranger = () => this.properties.plant()
    if (this.#plan.faults.emptyDirectory || !this.#plan.faults.crowded || this.#terms.claim === 'renameClaim') return
    const directory = server.lookUp(ROOT, 'd') as number
    server.makeDirectory(directory, 'P', 0o755)
    const lock = server.lookUp(directory, 'P') as number
    server.create(lock, '.links', '', 0o644)
    const first = Math.floor(server.clockMs() - 1000) * 1000
    for (let index = random.whole(60); index >= 0; index--) server.create(lock, `${first + index}.free`, '', 0o644)
  }

  /** Where it was locked before the share was mounted over it. */
  #diskBelow(): FileServer {
    const disk = new FileServer()
    disk.makeDirectory(ROOT, 'd', 0o755)
    const directory = disk.lookUp(ROOT, 'd') as number
    disk.makeDirectory(directory, 'P', 0o755)
    const lock = disk.lookUp(directory, 'P') as number
    disk.create(lock, this.#terms.claim === 'renameClaim' ? '.renames' : '.links', '', 0o644)
    disk.create(lock, '5.free', '', 0o644)
    return disk
  }

  #start(node: Node, pid: number, goal: number): SimProcess {
    const { random } = this.world
    // Time stamps of seconds cannot tell intervals of seconds apart: a limit, and documented.
    const { mixedIntervals, coarseMs } = this.#plan.faults
    const factor = mixedIntervals ? random.pick([coarseMs < 1000 ? 0.3 : 2, 1, 3]) : 1
    const refreshRateMs = this.#terms.refreshRateMs * factor
    const terms = { ...this.#terms, refreshRateMs, timeoutIntervalMs: this.#terms.timeoutIntervalMs * factor }
    const name = `${node.name}/${this.properties.processes.length}`
    const startTime = random.chance(0.8) ? String(this.properties.processes.length) : null
    const timeNamespace = random.pick(this.#plan.faults.mixedViews ? ['time:1', 'time:2', null] : ['time:1'])
    const identity = { pid, uid: this.#userOf(node), startTime, timeNamespace }
    const process = new SimProcess(this.world, node, name, identity, goal, terms, this.#protocol, this.properties)
    this.properties.processes.push(process)
    process.start(random.logarithmic(0.1, 50))
    return process
  }

  /** One user for all processes of a node: so each user has processes to the end. */
  #userOf(node: Node): number {
    return UID + (this.world.nodes.indexOf(node) % this.#plan.faults.users)
  }

  /** A process that uses another kind of lock on the same path: to be refused, always. */
  #addIntruder(): void {
    const { random } = this.world
    const claim = this.#terms.claim === 'renameClaim' ? 'hardLinkClaim' : 'renameClaim'
    const terms = { ...this.#terms, claim } as const
    const node = random.pick(this.world.nodes)
    const identity = { pid: 99, uid: this.#userOf(node), startTime: '99', timeNamespace: null }
    const intruder = new SimProcess(this.world, node, `${node.name}/other`, identity, 1, terms, this.#protocol, this.properties)
    intruder.isIntruder = true
    this.properties.processes.push(intruder)
    // The first process decides what kind of lock it is.
    this.properties.onFirstAcquired = () => intruder.start(random.logarithmic(1, 1000))
  }

  /** By hand, while its locks are hard links. (Of other locks the session file's name names their holder: its removal breaks them.) */
  #deleteSessionFile(): void {
    const { server, random } = this.world
    const directory = server.lookUp(ROOT, 'd') ?? 0
    const names = [...(server.inodes.get(directory)?.entries.keys() ?? [])].filter((name) => name.startsWith('.mountlock-41c29-'))
    if (names.length === 0 || this.#terms.claim !== 'hardLinkClaim') return
    const name = random.pick(names)
    this.world.note('a user', `removes ${name}`)
    server.unlink(directory, name)
  }

  #restart(crashed: Actor & SimProcess, samePid: boolean): void {
    if (crashed.isIntruder) return
    const missing = crashed.goal - crashed.acquired
    const process = this.#start(crashed.node, samePid ? crashed.pid : ++this.#pids, missing)
    process.stoppedUntilMs = this.world.nowMs + this.world.random.logarithmic(1, TIMEOUT_MS)
  }

  get #living(): SimProcess[] {
    return this.properties.processes.filter(({ alive }) => alive)
  }

  run(): void {
    const { world } = this
    const isDone = () => this.properties.processes.every((process) => !process.alive || process.isWaiting || process.isIntruder)
    world.startTimeline()
    world.run(TIMEOUT_MS * 3 * this.#plan.acquisitions, isDone)
    // What is in doubt has to be settled by the heartbeats alone.
    if (this.#plan.refusal !== undefined) world.run(world.nowMs + 3 * TIMEOUT_MS, () => false)
    this.#heal()
    // Long stalls that have begun go on until they are over; a cached name or a long interval takes its time too.
    const beganMs = world.nowMs
    world.run(beganMs + 40 * TIMEOUT_MS + 4 * this.#plan.faults.attributeCacheMs, isDone)
    if (!isDone()) {
      const missing = this.#living
        .filter((process) => !process.isWaiting && !process.isIntruder)
        .map(({ name, memory }) => `${name} (floor ${memory.floor})`)
      throw new Violation('no progress', `${missing.join(', ')} did not get the lock in ${Math.round(world.nowMs - beganMs)} ms`)
    }
    world.run(world.nowMs + 4 * TIMEOUT_MS, () => false)
    if (this.#plan.isThorough) this.#goOnForLong()
    this.properties.checkEnd(this.#plan.isThorough)
  }

  /** Leftovers are removed by the processes that use the directory. */
  #goOnForLong(): void {
    for (let minutes = 0; minutes < 15; minutes++) {
      for (const process of this.#living) {
        process.goal++
        process.wake()
      }
      this.world.run(this.world.nowMs + 60_000, () => false)
    }
  }

  #heal(): void {
    const { world } = this
    world.note('everything', 'heals')
    world.isHealed = true
    this.properties.removePlanted()
    // What mounts and servers are like is no fault, and stays.
    const { nocto, attributeCacheMs, piecewiseListings } = this.#plan.faults
    world.faults = { ...NO_FAULTS, nocto, attributeCacheMs, piecewiseListings }
    for (const process of this.#living) {
      process.goal = process.acquired + CONVERGING
      process.wake()
    }
  }
}
