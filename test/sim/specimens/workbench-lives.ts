/**
 * Lives of our processes among sessions of Workbench, in one form of theirs: at random, with crashes, and stalls where they are
 * asked for. Ours run what ships; their own lock comes first, and is one step here that may fail (it is proven elsewhere).
 *
 * What is asked: no two of ours hold at once, whatever theirs do; and the public name of a live holder is not taken away. Where it
 * is, the finding names the process that did it, ours or theirs.
 */

import type { KeptFile } from '../../../src/protocol/kept-file.js'
import { refresh } from '../../../src/protocol/kept-file.js'
import type { LocalQuestion } from '../../../src/protocol/operations.js'
import { namesOf } from '../../../src/workbench/names.js'
import type { Terms } from '../../../src/workbench/outer.js'
import type { Faults } from '../faults.js'
import type { Node } from '../node.js'
import type { Program } from '../process.js'
import { FileServer, ROOT, UID } from '../server.js'
import type { Trace } from '../trace.js'
import { type Actor, World } from '../world.js'
import type { Form, Holding, Session } from './workbench.js'
import { giveBack, keptOf, take, type Taken } from './workbench-ours.js'

export const TIMEOUT_MS = 6000
const PATH = '/d/lock_file'
/** What our keeping promises: see src/workbench/keeping.ts. */
const LASTS_MS = (TIMEOUT_MS - 1000) * 0.97
/** A session of theirs counts as live while its last refresh is younger than this share of the timeout, by true time. */
const LIVE = 0.8
const ACQUISITIONS = 12

export interface Finding {
  by: 'ours' | 'theirs'
  what: string
  /** The name was put back: it was renamed aside because of what lay there a moment before, which both generations allow. */
  isPutBack: boolean
}

export interface LivesReport {
  findings: Finding[]
  acquired: { ours: number; theirs: number }
}

export interface LivesPlan {
  seed: number
  faults: Faults
  form: Form
  useSymlinks: boolean
  /** Their form is an fcntl lock, which lasts as long as its process. */
  isAdvisory: boolean
  /** Ours keep sessions with fcntl locks out too. */
  advisory: boolean
}

/** Held by at most one of ours. A dead one's is free after an interval, as our own lock is. */
interface Inner {
  holder: Ours | null
}

abstract class Party implements Actor {
  readonly node: Node
  readonly name: string
  readonly uid = UID
  readonly world: World
  readonly life: Lives
  alive = true
  stoppedUntilMs = 0
  missing = ACQUISITIONS
  acquired = 0
  /** What it has last put at the public name. */
  published: number | null = null
  /** How its public name was taken away: what lies there since is another's. */
  robbed: Finding | null = null
  abstract readonly kind: 'ours' | 'theirs'

  constructor(life: Lives, node: Node, name: string) {
    this.life = life
    this.world = life.world
    this.node = node
    this.name = name
  }

  /** Sure of its lock, by true time. */
  abstract get isLive(): boolean

  answer(question: LocalQuestion): unknown {
    switch (question.op) {
      case 'clock':
        return { ownMs: this.node.ownMs, wallMs: this.node.wallMs }
      case 'name':
        return this.world.random.name()
      case 'process':
        return 'alive'
      case 'locked':
        return this.world.server.holderOf(question.file) === this
      default:
        return true
    }
  }
}

class Theirs extends Party {
  readonly kind = 'theirs'
  heldSinceMs: number | null = null
  /** The file that it has locked, where its form is advisory; and whether that was still at the public path then. */
  locked: number | null = null
  wasInPlace = true

  get isLive(): boolean {
    const { nowMs } = this.world
    if (this.life.plan.isAdvisory) return this.alive && this.locked !== null
    return this.alive && this.heldSinceMs !== null && nowMs - this.heldSinceMs < LIVE * TIMEOUT_MS
  }

  start(): void {
    const holding: { now: Holding | null } = { now: null }
    this.world.spawn(this, 'main', this.#live(holding), this.world.random.between(0, 20))
    this.world.spawn(this, 'timer', this.#refreshes(holding), 0)
  }

  get #session(): Session {
    const { useSymlinks } = this.life.plan
    const pid = 100 + this.life.parties.indexOf(this)
    return { path: PATH, pid, host: this.node.name, timeoutMs: TIMEOUT_MS, useSymlinks, isLoadBalanced: true }
  }

  *#live(holding: { now: Holding | null }): Program {
    const { random } = this.world
    const { form } = this.life.plan
    while (this.missing > 0) {
      yield { op: 'sleep', ms: random.logarithmic(1, 500) }
      const beganMs = this.world.nowMs
      const got = yield* form.acquire(this.#session)
      if (got === null) continue
      this.missing--
      this.acquired++
      this.heldSinceMs = beganMs
      if (this.life.plan.isAdvisory) this.#locks(got)
      this.life.onAcquired(this)
      holding.now = got
      yield { op: 'sleep', ms: random.logarithmic(1, 2 * TIMEOUT_MS) }
      holding.now = null
      this.heldSinceMs = null
      this.locked = null
      yield* form.release(this.#session, got)
    }
  }

  #locks({ file }: Holding): void {
    this.locked = file
    this.wasInPlace = this.life.publicFile === file
    this.published = this.wasInPlace ? this.life.publicName : file
  }

  *#refreshes(holding: { now: Holding | null }): Program {
    while (this.missing > 0 || holding.now !== null) {
      yield { op: 'sleep', ms: TIMEOUT_MS / 3 }
      const { now } = holding
      if (now === null) continue
      const beganMs = this.world.nowMs
      yield* this.life.plan.form.refresh(this.#session, now)
      if (this.heldSinceMs !== null) this.heldSinceMs = beganMs
    }
  }
}

class Ours extends Party {
  readonly kind = 'ours'
  kept: KeptFile | null = null
  endMs = 0

  get isLive(): boolean {
    return this.alive && this.kept !== null && this.node.ownMs < this.endMs
  }

  start(): void {
    this.world.spawn(this, 'main', this.#live(), this.world.random.between(0, 20))
    this.world.spawn(this, 'timer', this.#refreshes(), 0)
  }

  *#live(): Program {
    const { random } = this.world
    const terms: Terms = {
      locksFirst: this.life.plan.advisory,
      isShared: false,
      names: namesOf(PATH),
      pid: 7,
      timeoutMs: TIMEOUT_MS,
      useSymlinks: this.life.plan.useSymlinks,
    }
    while (this.missing > 0) {
      yield { op: 'sleep', ms: random.logarithmic(1, 500) }
      if (!this.life.takeInner(this)) continue
      yield* this.#hold(terms)
      this.life.giveInner(this)
    }
  }

  *#hold(terms: Terms): Program {
    const beganMs = this.node.ownMs
    const taken = (yield* take(terms) as Program<unknown>) as Taken | null
    if (taken === null) return
    const kept = keptOf(terms, taken.prepared)
    this.kept = kept
    this.endMs = beganMs + LASTS_MS
    if (this.isLive) {
      this.missing--
      this.acquired++
      this.life.onAcquired(this)
      yield { op: 'sleep', ms: this.world.random.logarithmic(1, 2 * TIMEOUT_MS) }
    }
    this.kept = null
    yield* giveBack(terms, taken) as Program<unknown>
  }

  *#refreshes(): Program {
    while (this.missing > 0 || this.kept !== null) {
      yield { op: 'sleep', ms: LASTS_MS / 3 }
      const { kept } = this
      const beganMs = this.node.ownMs
      if (kept === null || beganMs >= this.endMs) continue
      const outcome = (yield* refresh(kept) as Program<unknown>) as { kind: string }
      if (this.kept !== kept) continue
      if (outcome.kind === 'reaped' || outcome.kind === 'unlocked') this.endMs = 0
      else if (outcome.kind === 'kept' && this.node.ownMs < this.endMs) this.endMs = beganMs + LASTS_MS
    }
  }
}

/** It has locked a file that was not at the public path any more, and did not look: a race of theirs. */
const isOutOfPlace = (party: Party) => party instanceof Theirs && !party.wasInPlace

class Lives {
  readonly plan: LivesPlan
  readonly world: World
  readonly parties: Party[] = []
  readonly findings: Finding[] = []
  readonly #inner: Inner = { holder: null }
  /** Which has changed the public name last. */
  #changedBy: Finding['by'] = 'theirs'

  constructor(plan: LivesPlan, trace: Trace | null) {
    this.plan = plan
    this.world = new World(plan.seed, plan.faults, TIMEOUT_MS, trace)
    this.world.server.makeDirectory(ROOT, 'd', 0o755)
    const directory = this.world.server.lookUp(ROOT, 'd')
    this.world.server.onChange = (changed, name) => {
      if (changed === directory && name === 'lock_file') this.#onPublicName()
    }
    this.world.diskBelow = () => new FileServer()
    for (const make of [Ours, Theirs, Ours, Theirs]) {
      const party = new make(this, this.world.addNode(`n${this.parties.length}`), `${make.name} ${this.parties.length}`)
      this.parties.push(party)
      party.start()
    }
  }

  /** What the public path is: a file, or a link. */
  get publicName(): number | null {
    const { server } = this.world
    return server.lookUp(server.lookUp(ROOT, 'd') ?? 0, 'lock_file')
  }

  /** What it leads to. */
  get publicFile(): number | null {
    const name = this.publicName
    const inode = name === null ? undefined : this.world.server.inodes.get(name)
    if (inode?.type !== 'symlink') return name
    let at: number | null = ROOT
    for (const part of inode.text.split('/').slice(1)) at = this.world.server.lookUp(at ?? 0, part)
    return at
  }

  takeInner(process: Ours): boolean {
    const { holder } = this.#inner
    if (holder !== null && (holder.alive || this.world.random.chance(0.9))) return false
    this.#inner.holder = process
    return true
  }

  giveInner(process: Ours): void {
    if (this.#inner.holder === process) this.#inner.holder = null
  }

  /** It is made, removed or replaced. */
  #onPublicName(): void {
    const actor = this.world.executing?.actor
    const now = this.publicName
    const isByOurs = actor instanceof Ours
    this.#changedBy = isByOurs ? 'ours' : 'theirs'
    for (const party of this.parties) {
      if (party === actor) {
        party.published = now
        continue
      }
      if (party.published === now && party.robbed !== null) {
        party.robbed.isPutBack = true
        party.robbed = null
      }
      if (actor === undefined || !party.isLive || party.robbed !== null || party.published === now) continue
      const what = `${actor.name} changed the public name while ${party.name} holds`
      this.world.note('FINDING', what)
      party.robbed = { by: isByOurs ? 'ours' : 'theirs', what, isPutBack: false }
      this.findings.push(party.robbed)
    }
  }

  onAcquired(process: Party): void {
    // What stalls between its last look and its work may have lost it before it begins.
    const isThere = this.publicName === process.published
    const robber = isOutOfPlace(process) ? 'theirs' : this.#changedBy
    process.robbed = isThere ? null : { by: robber, what: 'before it began', isPutBack: false }
    for (const other of this.parties) {
      if (other === process || !other.isLive || !this.#exclude(process, other)) continue
      const by = process.robbed?.by === 'theirs' || other.robbed?.by === 'theirs' ? 'theirs' : 'ours'
      const what = `${process.name} acquired while ${other.name} holds`
      this.world.note('FINDING', what)
      this.findings.push({ by, what, isPutBack: false })
    }
  }

  /** Ours among themselves, always; with theirs, where the kernel decides. Link-based locks of theirs end by age, and by names. */
  #exclude(one: Party, other: Party): boolean {
    if (one.kind === 'ours' && other.kind === 'ours') return true
    return this.plan.isAdvisory && one.kind !== other.kind
  }

  run(): void {
    this.world.startTimeline()
    const isDone = () => this.parties.every(({ alive, missing }) => !alive || missing === 0)
    this.world.run(TIMEOUT_MS * 60, isDone)
  }
}

export function runLives(plan: LivesPlan, trace: Trace | null = null): LivesReport {
  const lives = new Lives(plan, trace)
  lives.run()
  const count = (kind: 'ours' | 'theirs') =>
    lives.parties.filter((party) => party.kind === kind).reduce((sum, { acquired }) => sum + acquired, 0)
  return { findings: lives.findings, acquired: { ours: count('ours'), theirs: count('theirs') } }
}
