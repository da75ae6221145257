/** One node, as the asking side sees it: its agent behind ssh, or in a process here, and the workers over there. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { assert } from '../../assert.js'
import { endsWithin } from '../shared/bounded.js'
import type { MountProfile } from '../shared/mounts.js'
import { PROGRAM } from '../shared/program.js'
import { started } from '../shared/started.js'
import { SIGHT_LIMIT_MS } from '../agent/sight.js'
import { AGENT_ANSWERS, type Facts, WORKER_ANSWERS } from './answers.js'
import { hasEnded, type Role, workerWordOf, type WorkerWord } from './worker.js'
import { gone, Line, NO_ANSWER, RemoteError } from './lines.js'
import type { NodeAddress, ReachOptions } from './options.js'
import { explainFailure, remoteScript } from './launch.js'
import type { Shape } from './shapes.js'

/** A machine at load 30 takes some seconds to start Node and to find its modules. */
const HELLO_LIMIT_MS = 60_000
/** What needs no lock is answered in milliseconds; a node that takes this long stands still, or its file server does. */
export const ANSWER_LIMIT_MS = 60_000
/**
 * An agent says what its clock shows, whatever else it waits for. It is asked for that so often; one that has answered nothing in
 * so many of these times stands still, or is none. They are counted: this process may have stood still itself.
 */
const PULSE: Pulse = { everyMs: 5000, silentMax: 12 }
interface Pulse {
  everyMs: number
  silentMax: number
}
const END_LIMIT_MS = 6000
/** What ssh, or a shell over there, has said before it ended may come later than its end. */
const LAST_WORDS_LIMIT_MS = 1000
const STDERR_CHARACTERS_MAX = 4000

export type { Facts }

/** The node could not be reached, or has not what is needed there; the message says which, and what to do. */
export class UnreachableError extends Error {}

export class Node {
  /** As it was called on the command line, told apart where a name comes twice. */
  readonly name: string
  readonly #host: string
  /** Where the directory is there. */
  readonly directory: string
  readonly #reach: ReachOptions
  readonly #pulse: Pulse
  /** From the start on. */
  #process!: ChildProcessByStdio<Writable, Readable, Readable>
  #line!: Line
  /** It has ended, and all that it said was read. */
  #closed!: Promise<unknown>
  #stderr = ''
  #facts: Facts | null = null
  mount: MountProfile | null = null
  readonly #workers = new Map<number, RemoteWorker>()

  constructor(name: string, { host, directory }: NodeAddress, reach: ReachOptions, pulse = PULSE) {
    this.name = name
    this.#pulse = pulse
    this.#host = host
    this.directory = directory
    this.#reach = reach
  }

  /** @throws the system's error */
  async #start(): Promise<void> {
    const { file, args } = commandFor(this.#host, this.#reach)
    // In a session of its own: Ctrl+C is ours, and we say over the line what is to be done.
    const agent = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    await started(agent)
    this.#process = agent
    this.#process.on('error', (error) => this.#line.close(error))
    this.#closed = new Promise((resolve) => this.#process.once('close', resolve))
    this.#process.once('exit', () => void this.#hearOut())
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX)
    })
    this.#line = new Line(this.#process.stdout, this.#process.stdin, (raw) => {
      const { worker, ...word } = workerWordOf(raw) ?? { worker: -1 }
      this.#workers.get(worker)?.hear(word)
    })
  }

  /** What ssh has left behind may keep its output open for long after its end. */
  async #hearOut(): Promise<void> {
    if (!(await endsWithin(LAST_WORDS_LIMIT_MS, this.#closed))) this.#line.close(gone())
  }

  /** @throws UnreachableError, and the system's error where this machine refuses to start another process */
  async connect(): Promise<void> {
    await this.#start()
    try {
      this.#facts = await this.ask('hello', {}, HELLO_LIMIT_MS)
    } catch (error) {
      await endsWithin(END_LIMIT_MS, this.end())
      await endsWithin(LAST_WORDS_LIMIT_MS, this.#closed)
      const { exitCode } = this.#process
      const { sshCommand, remoteCommand } = this.#reach
      const failure = { host: this.#host, sshCommand, remoteCommand, exitCode, stderr: this.#stderr, error: error as Error }
      throw new UnreachableError(explainFailure(failure))
    }
  }

  /** What it has said of itself. */
  get facts(): Facts {
    assert(this.#facts !== null, 'a node that was reached', this.name)
    return this.#facts
  }

  /** @throws RemoteError also when there is no answer within `limitMs` */
  ask<Op extends keyof typeof AGENT_ANSWERS>(
    op: Op,
    args: Record<string, unknown> = {},
    limitMs = ANSWER_LIMIT_MS,
  ): Promise<ReturnType<(typeof AGENT_ANSWERS)[Op]>> {
    const shape = AGENT_ANSWERS[op] as Shape<ReturnType<(typeof AGENT_ANSWERS)[Op]>>
    return this.#inTime(this.#line.ask(op, args, shape), limitMs)
  }

  /** One of its workers answers. */
  askWorker<Op extends keyof typeof WORKER_ANSWERS>(
    { worker, op, args }: { worker: number; op: Op; args: Record<string, unknown> },
    limitMs: number,
  ): Promise<ReturnType<(typeof WORKER_ANSWERS)[Op]>> {
    const shape = WORKER_ANSWERS[op] as Shape<ReturnType<(typeof WORKER_ANSWERS)[Op]>>
    return this.#inTime(this.#line.ask('ask', { worker, op, args }, shape), limitMs)
  }

  async #inTime<T>(answer: Promise<T>, limitMs: number): Promise<T> {
    const endMs = performance.now() + limitMs
    const { everyMs, silentMax } = this.#pulse
    let [pulses, answers] = [0, this.#line.answers]
    while (!(await endsWithin(Math.min(everyMs, endMs - performance.now()), answer))) {
      if (performance.now() >= endMs) throw this.#noAnswer(limitMs)
      if (this.#facts === null) continue // it may still be on its way
      pulses = this.#line.answers === answers ? pulses + 1 : 1
      answers = this.#line.answers
      // With one that is silent altogether the conversation is over: each further question would wait as long again.
      if (pulses > silentMax) this.#line.close(this.#noAnswer(silentMax * everyMs))
      else void this.#line.ask('clock', {}, AGENT_ANSWERS.clock).catch(() => {})
    }
    return await answer
  }

  #noAnswer(limitMs: number): RemoteError {
    return new RemoteError({ code: NO_ANSWER, message: `${this.name} has not answered for ${limitMs / 1000} s` })
  }

  /** Whether it sees the directory of the trial, or creates it. */
  async enter(name: string, create: readonly string[] | null): Promise<boolean> {
    const entered = this.ask('enter', { directory: this.directory, name, create }, SIGHT_LIMIT_MS)
    const { mount, isThere } = await this.#named(entered)
    this.mount = mount
    return isThere
  }

  /** Leaves a file in the directory of the trial. */
  mark(mark: string): Promise<void> {
    return this.#named(this.ask('mark', { mark }))
  }

  /** How long it took until it saw that file of another node; `null`: it does not see it. */
  sees(mark: string): Promise<number | null> {
    return this.#named(this.ask('sees', { mark }, SIGHT_LIMIT_MS))
  }

  /** What went wrong there is said with the node's name. */
  async #named<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if (!(error instanceof RemoteError) || error.code === NO_ANSWER) throw error
      throw new RemoteError({ code: error.code, message: `${this.name}: ${error.message}` })
    }
  }

  /** @param onWord is called for all that it says of its own accord, and when it ends */
  async startWorker(role: Role, onWord: (word: Word) => void = () => {}): Promise<RemoteWorker> {
    const { worker, pid } = await this.ask('start', { role })
    const remote = new RemoteWorker(this, worker, pid, onWord)
    this.#workers.set(worker, remote)
    return remote
  }

  /** Lets the agent clean up and end; what does not is killed. */
  async end(): Promise<void> {
    if (this.#process === undefined || hasEnded(this.#process)) return
    const exit = once(this.#process, 'exit')
    this.#process.stdin.end()
    if (await endsWithin(END_LIMIT_MS, exit)) return
    this.#process.kill('SIGKILL')
  }
}

/** What a worker says without having been asked: what its role makes of it, or that it has ended. */
type Word = Omit<WorkerWord, 'worker'>

/** A process that was started on a node. */
export class RemoteWorker {
  readonly #node: Node
  readonly #id: number
  readonly hear: (word: Word) => void
  readonly pid: number

  constructor(node: Node, id: number, pid: number, hear: (word: Word) => void) {
    this.#node = node
    this.#id = id
    this.pid = pid
    this.hear = hear
  }

  /** @throws RemoteError also when there is no answer within `limitMs` */
  ask<Op extends keyof typeof WORKER_ANSWERS>(
    op: Op,
    args: Record<string, unknown> = {},
    limitMs = ANSWER_LIMIT_MS,
  ): Promise<ReturnType<(typeof WORKER_ANSWERS)[Op]>> {
    return this.#node.askWorker({ worker: this.#id, op, args }, limitMs)
  }

  /** SIGSTOP, SIGCONT, or SIGKILL; resolves once its node says that it is done. */
  async signal(op: 'stop' | 'continue' | 'kill'): Promise<void> {
    await this.#node.ask(op, { worker: this.#id })
  }
}

function commandFor(host: string, { sshCommand, remoteCommand }: ReachOptions): { file: string; args: string[] } {
  if (host === 'local') return { file: process.execPath, args: [PROGRAM, 'agent'] }
  // A shell takes the command apart as its author would expect; the host and the script are arguments, never text in it.
  const script = remoteScript(remoteCommand, PROGRAM)
  return { file: '/bin/sh', args: ['-c', `exec ${sshCommand} "$@"`, 'sh', host, script] }
}
