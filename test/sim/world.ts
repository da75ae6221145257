/**
 * A world of nodes and one server, run event by event from one seed. Threads are programs that ask for operations; a
 * file operation takes effect at the server some time after it was asked for, and its answer arrives some time after
 * that. Everything that can go wrong on the way is decided here.
 */

import { assert } from '../../src/assert.js'
import { constants } from 'node:os'
import { provesNothingDone } from '../../src/protocol/doubt.js'
import type { LocalQuestion, Reply } from '../../src/protocol/operations.js'
import { type CacheHabits, Client, type ClientOperation, split } from './client-cache.js'
import type { Faults } from './faults.js'
import { EventHeap } from './heap.js'
import { EPOCH_MS, Node } from './node.js'
import { Random } from './random.js'
import { FileServer, failure } from './server.js'
import { describeOperation, describeReply, type Trace } from './trace.js'

/** `doze` can be ended early with `wake`. */
export type Pause = { readonly op: 'sleep' | 'doze'; readonly ms: number }
export type Step = ClientOperation | LocalQuestion | Pause
/** What a thread runs: a generator, or anything that behaves like one. */
export interface Program {
  next(answer?: unknown): { done?: boolean | undefined; value: unknown }
}

/** A process, seen from the world. */
export interface Actor {
  readonly node: Node
  readonly name: string
  readonly uid: number
  alive: boolean
  stoppedUntilMs: number
  answer(question: LocalQuestion, thread: Thread): unknown
}

export interface Thread {
  readonly actor: Actor
  readonly name: string
  readonly program: Program
  /** Which doze it is in; 0 while it is not dozing. */
  doze: number
  /** For the question `wanted`: until when, by the node's own clock. */
  wantedUntilMs: number
}

/** What a repetition of an operation is answered if the first one happened. */
const REPEATED: Record<string, string> = {
  link: 'EEXIST',
  symlink: 'EEXIST',
  mkdir: 'EEXIST',
  create: 'EEXIST',
  rename: 'ENOENT',
  unlink: 'ENOENT',
  rmdir: 'ENOENT',
}
const REFUSALS: Record<string, readonly string[]> = {
  link: ['EIO', 'ESTALE', 'ENOSPC', 'EMLINK', 'EXDEV', 'EPERM'],
  symlink: ['EIO', 'ESTALE', 'ENOSPC'],
  create: ['EIO', 'ENOSPC', 'EACCES'],
  mkdir: ['EIO', 'ENOSPC', 'EACCES'],
  rewrite: ['EIO', 'ESTALE', 'ENOSPC'],
}
const REFUSALS_ELSE = ['EIO', 'ESTALE'] as const

/** Every error that this machine knows, but those that prove that nothing was done. */
export const ERRORS_IN_DOUBT = Object.keys(constants.errno).filter((code) => !provesNothingDone(code))

const isChange = ({ op }: ClientOperation) => REPEATED[op] !== undefined || op === 'rewrite'

const TIMED_OUT = failure('ETIMEDOUT')
/** More names than this, and a listing is not made in one piece. */
const ATOMIC_ENTRIES_MAX = 32

/** Whether it is over need not be asked after each event. */
const EVENTS_BETWEEN_LOOKS = 16

/** An answer that is wrong where it was done all the same. */
export interface Refusal {
  code: string
  isDone: boolean
}

export class World {
  nowMs = 0
  /** By how much the server's clock is off. */
  serverOffsetMs = 0
  faults: Faults
  readonly random: Random
  readonly server = new FileServer()
  readonly nodes: Node[] = []
  readonly trace: Trace | null
  /** Nothing new goes wrong any more. */
  isHealed = false
  /** Whose operation the server executes just now. */
  executing: Thread | null = null
  /** How many operations the server has executed: their order. */
  executed = 0
  /** Decides of each change whether it is answered with an error. `null`: it is not. */
  refuses: (operation: ClientOperation, thread: Thread) => Refusal | null = () => null
  onCrash: (actor: Actor, samePid: boolean) => void = () => {}
  onReboot: (node: Node) => void = () => {}
  /** A user removes a session file by hand. */
  onFileDeleted: () => void = () => {}
  onStranger: () => void = () => {}
  /** What shows where the share is not mounted. */
  diskBelow: () => FileServer = () => new FileServer()
  readonly #heap = new EventHeap()
  readonly #timeoutMs: number
  #dozes = 0
  /** Which server each operation was sent to. */
  readonly #sentTo = new WeakMap<ClientOperation, FileServer>()
  #devs = 1

  /** `timeoutMs`: the scale of the long faults. */
  constructor(seed: number, faults: Faults, timeoutMs: number, trace: Trace | null) {
    this.random = new Random(seed)
    this.faults = faults
    this.trace = trace
    this.#timeoutMs = timeoutMs
    const tickMs = faults.coarseMs
    this.server.hasLazyStamps = faults.lazyStamps
    this.serverOffsetMs = faults.skewMs * (this.random.fraction() - 0.5)
    this.server.clockMs = () => {
      const exactMs = EPOCH_MS + this.nowMs + this.serverOffsetMs
      return tickMs === 0 ? exactMs : Math.floor(exactMs / tickMs) * tickMs
    }
    for (const number of this.server.inodes.keys()) (this.server.inodes.get(number) as { modifiedMs: number }).modifiedMs = 0
  }

  addNode(name: string): Node {
    const { faults, random } = this
    const habits: CacheHabits = {
      staleRate: faults.staleCache,
      attributeCacheMs: faults.attributeCacheMs,
      isVersion3: faults.isVersion3,
      nocto: faults.nocto,
    }
    const nowMs = () => this.nowMs
    const tear = () => (random.chance(this.faults.tornRead) ? random.fraction() : null)
    const client = new Client(this.server, this.#devs++, habits, (probability) => random.chance(probability), nowMs, tear)
    const pace = 1 + faults.drift * (2 * random.fraction() - 1)
    const node = new Node(name, client, pace, faults.skewMs * (random.fraction() - 0.5), nowMs)
    this.nodes.push(node)
    return node
  }

  after(delayMs: number, run: () => void): void {
    this.#heap.push(this.nowMs + delayMs, run)
  }

  note(who: string, text: string): void {
    this.trace?.add(this.nowMs, who, text)
  }

  /** Runs until there is nothing to do, until `isOver`, or until the given time. */
  run(untilMs: number, isOver: () => boolean): void {
    while (this.#heap.nextMs <= untilMs && !isOver()) {
      for (let events = 0; events < EVENTS_BETWEEN_LOOKS && this.#heap.nextMs <= untilMs; events++) {
        const event = this.#heap.pop()
        if (event === undefined) return
        assert(event.atMs >= this.nowMs, 'time that goes on', event.atMs)
        this.nowMs = event.atMs
        event.run()
      }
    }
  }

  spawn(actor: Actor, name: string, program: Program, delayMs = 0): Thread {
    const thread: Thread = { actor, name, program, doze: 0, wantedUntilMs: Number.POSITIVE_INFINITY }
    this.after(delayMs, () => this.#resume(thread, undefined))
    return thread
  }

  wake(thread: Thread): void {
    if (thread.doze === 0) return
    thread.doze = 0
    this.after(0, () => this.#resume(thread, undefined))
  }

  /** A loop of its own beside those of `drivers/drive.ts`: between two steps of a thread the rest of the world goes on. */
  #resume(thread: Thread, answer: unknown): void {
    assert(thread.doze === 0, 'a thread that is awake', thread.name)
    const { actor } = thread
    if (!actor.alive) return
    const heldUpUntilMs = Math.max(actor.stoppedUntilMs, actor.node.frozenUntilMs)
    if (heldUpUntilMs > this.nowMs) return this.after(heldUpUntilMs - this.nowMs, () => this.#resume(thread, answer))
    let next = answer
    for (;;) {
      const step = thread.program.next(next)
      if (step.done || !actor.alive) return
      const operation = step.value as Step
      switch (operation.op) {
        case 'sleep':
          return this.after(operation.ms / actor.node.pace, () => this.#resume(thread, undefined))
        case 'doze':
          return this.#doze(thread, operation.ms)
        case 'clock':
        case 'name':
        case 'process':
        case 'lease':
        case 'wanted':
        case 'locked':
          next = actor.answer(operation, thread)
          // Stopped right here: what it was told may be long out of date when it goes on.
          if (this.random.chance(this.faults.stoppedProcess)) return this.#stop(thread, next)
          continue
        default:
          return this.#submit(thread, operation)
      }
    }
  }

  #doze(thread: Thread, ms: number): void {
    const doze = ++this.#dozes
    thread.doze = doze
    this.after(Math.max(0, ms) / thread.actor.node.pace, () => {
      if (thread.doze !== doze) return
      thread.doze = 0
      this.#resume(thread, undefined)
    })
  }

  /** The whole process, or this thread alone. */
  #stop(thread: Thread, answer: unknown): void {
    const durationMs = this.longMs()
    if (this.random.chance(0.5)) {
      this.note(thread.actor.name, `stopped for ${Math.round(durationMs)} ms`)
      thread.actor.stoppedUntilMs = this.nowMs + durationMs
      return this.#resume(thread, answer)
    }
    this.note(thread.actor.name, `${thread.name} stalls for ${Math.round(durationMs)} ms`)
    this.after(durationMs, () => this.#resume(thread, answer))
  }

  /** From a moment to more than two timeout-intervals. */
  longMs(): number {
    return this.random.logarithmic(this.#timeoutMs / 100, this.#timeoutMs * 2.5)
  }

  crash(actor: Actor): void {
    if (!actor.alive) return
    actor.alive = false
    this.note(actor.name, 'crashed')
    this.server.ended(actor)
    this.onCrash(actor, this.random.chance(this.faults.samePid))
  }

  #latencyMs(): number {
    const { random } = this
    return random.chance(0.02) ? random.between(2, 60) : random.between(0.1, 1.5)
  }

  #submit(thread: Thread, operation: ClientOperation): void {
    const { faults, random } = this
    this.#sentTo.set(operation, thread.actor.node.client.server)
    const refusal = isChange(operation) ? this.refuses(operation, thread) : null
    if (refusal !== null) {
      if (refusal.isDone) return this.#execute(thread, operation, this.#latencyMs(), 0, failure(refusal.code))
      return this.after(this.#latencyMs(), () => this.#resume(thread, failure(refusal.code)))
    }
    if (this.isHealed) return this.#execute(thread, operation, this.#latencyMs(), 0, null)
    if (random.chance(faults.crash)) {
      this.crash(thread.actor) // before or after it was sent
      if (random.chance(0.5))
        this.after(this.#latencyMs() + (random.chance(0.3) ? this.longMs() : 0), () => this.#perform(thread, operation, false))
      return
    }
    let requestMs = this.#latencyMs()
    let replyMs = random.chance(0.3) ? this.#latencyMs() : 0
    const hungMs = thread.actor.node.hungUntilMs - this.nowMs
    if (hungMs > 0) requestMs += hungMs
    if (random.chance(faults.stalledCall)) {
      if (random.chance(0.5)) requestMs += this.longMs()
      else replyMs += this.longMs()
    }
    if (random.chance(faults.stoppedProcess)) {
      const durationMs = this.longMs()
      this.note(thread.actor.name, `stopped for ${Math.round(durationMs)} ms`)
      thread.actor.stoppedUntilMs = this.nowMs + durationMs
    }
    if (random.chance(faults.refused)) {
      const code = random.pick(REFUSALS[operation.op] ?? REFUSALS_ELSE)
      this.#log(thread, operation, `refused: ${code}`)
      return this.after(requestMs + replyMs, () => this.#resume(thread, failure(code)))
    }
    if (isChange(operation) && random.chance(faults.duplicated)) {
      const againMs = requestMs + replyMs + (random.chance(0.5) ? this.longMs() : random.between(0, 20))
      this.after(againMs, () => this.#perform(thread, operation, false))
    }
    if (random.chance(faults.timedOut)) return this.#timeOut(thread, operation, requestMs + replyMs)
    const lost = isChange(operation) && random.chance(faults.lostReply) ? this.#lostReply(operation) : null
    this.#execute(thread, operation, requestMs, replyMs, lost)
  }

  /** What is answered where the reply is lost: what a repetition is told, or whatever the client makes of it. */
  #lostReply({ op }: ClientOperation): Reply<never> {
    const repeated = REPEATED[op]
    return failure(repeated !== undefined && this.random.chance(0.5) ? repeated : this.random.pick(ERRORS_IN_DOUBT))
  }

  /** Answered "timed out" while it is done before, after, or never. */
  #timeOut(thread: Thread, operation: ClientOperation, answerMs: number): void {
    const when = this.random.whole(4)
    if (when === 0) this.after(answerMs * this.random.fraction(), () => this.#perform(thread, operation, false))
    else if (when === 1) this.after(answerMs + this.random.between(0, 20), () => this.#perform(thread, operation, false))
    else if (when === 2) this.after(answerMs + this.longMs(), () => this.#perform(thread, operation, false))
    this.after(answerMs, () => {
      this.#log(thread, operation, 'answered ETIMEDOUT')
      this.#resume(thread, TIMED_OUT)
    })
  }

  #execute(thread: Thread, operation: ClientOperation, requestMs: number, replyMs: number, lost: Reply<never> | null): void {
    this.after(requestMs, () => this.#arrive(thread, operation, replyMs, lost))
  }

  #arrive(thread: Thread, operation: ClientOperation, replyMs: number, lost: Reply<never> | null): void {
    if (operation.op === 'list' && this.faults.listsNameByName)
      return this.#listNameByName(thread, operation, (reply) => this.#reply(thread, reply, replyMs, lost))
    if (operation.op === 'list' && this.faults.piecewiseListings)
      return this.#listInPieces(thread, operation, (reply) => this.#reply(thread, reply, replyMs, lost))
    if (operation.op === 'create' && operation.text !== '')
      return this.#createInSteps(thread, operation, lost === null, (reply) => this.#reply(thread, reply, replyMs, lost))
    this.#reply(thread, this.#perform(thread, operation, lost === null), replyMs, lost)
  }

  #reply(thread: Thread, reply: Reply<unknown>, replyMs: number, lost: Reply<never> | null): void {
    const told = lost !== null && reply.ok ? lost : reply
    // What was on its way when the mount began to hang arrives when it is over.
    const lateMs = Math.max(replyMs, thread.actor.node.hungUntilMs - this.nowMs)
    if (lateMs <= 0) this.#resume(thread, told)
    else this.after(lateMs, () => this.#resume(thread, told))
  }

  #perform(thread: Thread, operation: ClientOperation, heard: boolean): Reply<unknown> {
    const { client } = thread.actor.node
    // What is under way does not arrive at the disk below, when the share is unmounted meanwhile.
    if ((this.#sentTo.get(operation) ?? client.server) !== client.server) return failure('ESTALE')
    assert(this.executing === null, 'one operation at a time', operation.op)
    this.executing = thread
    client.server.actingUid = thread.actor.uid
    client.server.actingProcess = thread.actor
    this.executed++
    const reply = client.perform(operation, heard)
    this.executing = null
    if (this.trace !== null)
      this.#log(thread, operation, `= ${describeReply(reply)}${heard ? '' : ' (its caller does not hear it)'}`)
    return reply
  }

  /** The names are read first, and looked up a moment later. */
  #listNameByName(thread: Thread, operation: ClientOperation, answer: (reply: Reply<unknown>) => void): void {
    const read = this.#perform(thread, operation, true) as Reply<string[]>
    if (!read.ok) return answer(read)
    this.after(this.random.chance(0.2) ? this.longMs() : this.#latencyMs(), () => {
      const late = this.#perform(thread, operation, true) as Reply<string[]>
      answer(late.ok ? { ok: true, value: read.value.filter((name) => late.value.includes(name)) } : late)
    })
  }

  /** What comes early in the server's order of names is read first, the rest later. */
  #listInPieces(thread: Thread, operation: ClientOperation, answer: (reply: Reply<unknown>) => void): void {
    const early = this.#perform(thread, operation, true) as Reply<string[]>
    if (!early.ok || early.value.length <= ATOMIC_ENTRIES_MAX) return answer(early)
    const gapMs = this.random.chance(0.2) ? this.longMs() : this.#latencyMs()
    this.after(gapMs, () => {
      const late = this.#perform(thread, operation, true) as Reply<string[]>
      if (!late.ok) return answer(late)
      const pivot = this.random.whole(1000)
      answer({
        ok: true,
        value: [...early.value.filter((name) => place(name) < pivot), ...late.value.filter((name) => place(name) >= pivot)],
      })
    })
  }

  /** Created, and written to a moment later: in between it is empty, and if the process dies it stays so. */
  #createInSteps(
    thread: Thread,
    operation: ClientOperation & { op: 'create' },
    heard: boolean,
    answer: (reply: Reply<unknown>) => void,
  ): void {
    const empty = { ...operation, text: '' }
    this.#sentTo.set(empty, this.#sentTo.get(operation) ?? this.server)
    const created = this.#perform(thread, empty, heard)
    if (!created.ok) return answer(created)
    const { client } = thread.actor.node
    const { server } = client
    const file = server.lookUp(client.directoryOf(operation.path), split(operation.path)[1])
    this.after(this.#latencyMs(), () => {
      if (!thread.actor.alive) return
      server.actingUid = thread.actor.uid
      const written = server.write(file ?? 0, operation.text)
      answer(
        written.ok
          ? { ok: true, value: { serverMs: written.value.modifiedMs, dev: client.dev, links: written.value.links } }
          : written,
      )
    })
  }

  #log(thread: Thread, operation: ClientOperation, text: string): void {
    this.trace?.add(this.nowMs, thread.actor.name, `${thread.name}: ${describeOperation(operation)} ${text}`)
  }

  /** The faults that come by the clock, until they are switched off. */
  startTimeline(): void {
    const { faults } = this
    this.#every(faults.frozenMachine, () => this.#freeze(this.random.pick(this.nodes)))
    this.#every(faults.hungMount, () => this.#hang(this.random.pick(this.nodes)))
    this.#every(faults.wallStep, () => this.#stepWall(this.random.pick(this.nodes)))
    this.#every(faults.serverStep, () => {
      const byMs = this.#stepMs()
      this.serverOffsetMs += byMs
      this.note('server', `clock stepped by ${Math.round(byMs)} ms`)
    })
    this.#every(faults.remount, () => {
      const node = this.random.pick(this.nodes)
      node.client.remount(this.#devs++)
      this.note(node.name, 'remounted')
    })
    this.#every(faults.deletedFile, () => this.onFileDeleted())
    this.#every(faults.unmounted, () => this.#unmount(this.random.pick(this.nodes)))
    this.#every(faults.strangersFile, () => this.onStranger())
    this.#every(faults.reboot, () => {
      const node = this.random.pick(this.nodes)
      node.bootId = `boot-${node.name}-${this.#devs}`
      node.client.remount(this.#devs++)
      this.note(node.name, 'rebooted')
      this.onReboot(node)
    })
  }

  #every(perMinute: number, happen: () => void): void {
    if (perMinute === 0) return
    // A minute of ours is as many timeout-intervals as a minute has with ordinary settings.
    const meanMs = (3 * this.#timeoutMs) / perMinute
    this.after(-Math.log(1 - this.random.fraction()) * meanMs, () => {
      if (this.isHealed) return
      happen()
      this.#every(perMinute, happen)
    })
  }

  #unmount(node: Node): void {
    if (!node.client.isMounted) return
    node.client.unmount(this.diskBelow(), this.#devs++)
    this.note(node.name, 'unmounted')
    this.after(this.longMs(), () => {
      node.client.remount(this.#devs++)
      this.note(node.name, 'mounted again')
    })
  }

  #freeze(node: Node): void {
    const durationMs = this.longMs() * this.random.pick([1, 4])
    node.freeze(durationMs)
    this.note(node.name, `stands still for ${Math.round(durationMs)} ms`)
    // Some set their clock when they go on.
    if (this.random.chance(0.5)) this.after(durationMs, () => (node.wallOffsetMs += durationMs))
  }

  #hang(node: Node): void {
    const durationMs = this.longMs()
    node.hungUntilMs = Math.max(node.hungUntilMs, this.nowMs + durationMs)
    this.note(node.name, `mount hangs for ${Math.round(durationMs)} ms`)
    // It comes back for a moment only, more often than not.
    if (!this.isHealed && this.random.chance(0.6)) this.after(durationMs + this.random.between(0.2, 10), () => this.#hang(node))
  }

  #stepMs(): number {
    return (this.random.chance(0.5) ? 1 : -1) * this.random.logarithmic(this.#timeoutMs / 10, 12 * 3_600_000)
  }

  #stepWall(node: Node): void {
    const byMs = this.#stepMs()
    node.wallOffsetMs += byMs
    this.note(node.name, `wall clock stepped by ${Math.round(byMs)} ms`)
  }
}

/** Where a name stands in a directory: by its hash, as in most file systems. */
function place(name: string): number {
  let hash = 7
  for (let index = 0; index < name.length; index++) hash = (hash * 31 + name.charCodeAt(index)) | 0
  return (hash >>> 8) % 1000
}
