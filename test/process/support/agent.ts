/** Starts and drives the processes that play holder, waiter and thief: see fixtures/link-agent.mjs for what they can do. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { Inspection, LockerOptions, ReleaseResult } from '../../../dist/index.js'
import { childrenOf, type Space } from './space.js'

export const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url))

/** Short, so that tests are; not so short that a busy machine looks like a dead one. */
export const BRISK = { refreshRateMs: 500, timeoutIntervalMs: 2000 } as const satisfies LockerOptions

/** By when, after its last heartbeat, a silent holder is surely convicted by a waiter that watches it: see src/protocol/lease.ts. */
export const LEASE_MS = BRISK.timeoutIntervalMs * 0.9
export const SILENCE_MS = BRISK.timeoutIntervalMs * 1.1

export interface AgentOptions {
  /** On top of {@link BRISK}. */
  locker?: LockerOptions
  /** Where it runs; here when absent. */
  on?: Space
  uid?: number
  /** The folder of the fixtures: those of an {@link import('./installation.js').Installation}, for users that may not read this one. */
  fixtures?: string
  umask?: number
  /** Commands in front of `node`. */
  under?: readonly string[]
  env?: Record<string, string>
}

/** An error as it arrives from another process. */
export interface RemoteError {
  name: string
  code?: string
  message: string
  errno?: string
  advice?: string
  path?: string
  reason?: string
  cause?: RemoteError
}

export class AgentError extends Error {
  readonly remote: RemoteError
  constructor(remote: RemoteError) {
    super(`${remote.name}: ${remote.message}`)
    this.remote = remote
  }
}

export interface LostEvent {
  handle: number
  /** When it was told, by the wall clock of its process. */
  atMs: number
  error: RemoteError
}

export interface LockStatus {
  held: boolean
  remainingMs: number
  aborted: boolean
  /** What `assertHeld()` threw. */
  asserted: RemoteError | null
}

export class RemoteLock {
  readonly #agent: Agent
  readonly handle: number
  readonly token: bigint

  constructor(agent: Agent, { handle, token }: { handle: number; token: string }) {
    this.#agent = agent
    this.handle = handle
    this.token = BigInt(token)
  }

  release(): Promise<ReleaseResult> {
    return this.#agent.ask('release', { handle: this.handle }) as Promise<ReleaseResult>
  }

  releaseSync(): Promise<ReleaseResult> {
    return this.#agent.ask('releaseSync', { handle: this.handle }) as Promise<ReleaseResult>
  }

  status(): Promise<LockStatus> {
    return this.#agent.ask('status', { handle: this.handle }) as Promise<LockStatus>
  }

  /** Resolves when the lock's signal fires. */
  lost(): Promise<LostEvent> {
    return this.#agent.lost(this.handle)
  }

  /** What was told of its loss until now. */
  get told(): LostEvent | undefined {
    return this.#agent.told(this.handle)
  }

  /** Resolves right after a heartbeat: the next one is an interval away, and none is under way. */
  async heartbeat(): Promise<void> {
    for (let before = Number.POSITIVE_INFINITY; ;) {
      const { held, remainingMs } = await this.status()
      if (!held) throw new Error('The lock is lost, and has no heartbeat any more')
      if (remainingMs > before) return
      before = remainingMs
      await setTimeout(5)
    }
  }
}

type Handle = { handle: number; token: string }

export class Agent {
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #told = new Map<number, LostEvent>()
  readonly #isWrapped: boolean
  #nextId = 1
  #pid: number
  #stderr = ''

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, isWrapped: boolean) {
    this.#child = child
    this.#isWrapped = isWrapped
    this.#pid = child.pid as number
    this.ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line)
      if (message.event === 'lost') this.#told.set(message.handle, message)
      this.#events.emit(message.event ?? `answer ${message.id}`, message)
    })
  }

  /** As this process sees it, not as it sees itself. */
  get pid(): number {
    return this.#pid
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What it wrote to standard error. */
  get stderr(): string {
    return this.#stderr
  }

  static async start({ locker = {}, on, uid, fixtures = FIXTURES, umask, under = [], env = {} }: AgentOptions = {}) {
    const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
    const settings = JSON.stringify({ locker: { ...BRISK, ...locker }, umask })
    const node = [process.execPath, `${fixtures}link-agent.mjs`, settings]
    const [command = '', ...args] = [...(on?.entrance ?? []), ...user, ...under, ...node]
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd: '/' })
    const agent = new Agent(child, under.length > 0)
    onTestFinished(() => agent.#stop())
    await agent.#unlessEnded(once(agent.#events, 'ready'), 'it was ready')
    agent.#pid = await innermost(agent.#pid)
    return agent
  }

  async #stop(): Promise<void> {
    // What entered a space for it ends with it. Killing that first would leave a zombie in the space, which then takes seconds to end.
    if (this.isRunning) kill(this.#pid)
    // What entered stopped itself if the agent was stopped, and would not see that it has ended.
    if (this.isRunning) this.#child.kill(this.#isWrapped ? 'SIGKILL' : 'SIGCONT')
    await this.ended
  }

  #unlessEnded<T>(promise: Promise<T>, what: string): Promise<T> {
    const ended = this.ended.then(({ code, signal }) => {
      throw new Error(`The agent ended (${signal ?? code}) before ${what}: ${this.#stderr}`)
    })
    return Promise.race([promise, ended])
  }

  async #command(id: number, op: string, args: object): Promise<unknown> {
    const answered = once(this.#events, `answer ${id}`)
    this.#child.stdin.write(`${JSON.stringify({ id, op, ...args })}\n`)
    const [{ error, value }] = await this.#unlessEnded(answered, `it answered to ${op}`)
    if (error !== undefined) throw new AgentError(error)
    return value
  }

  ask(op: string, args: object = {}): Promise<unknown> {
    return this.#command(this.#nextId++, op, args)
  }

  /** Resolves with a word that the agent says of its own accord. */
  async says(event: 'blocked' | 'interrupted' | 'waiting'): Promise<void> {
    await once(this.#events, event)
  }

  told(handle: number): LostEvent | undefined {
    return this.#told.get(handle)
  }

  async lost(handle: number): Promise<LostEvent> {
    for (;;) {
      const told = this.#told.get(handle)
      if (told !== undefined) return told
      await once(this.#events, 'lost')
    }
  }

  async acquire(path: string, waitMs?: number): Promise<RemoteLock> {
    return new RemoteLock(this, (await this.ask('acquire', { path, waitMs })) as Handle)
  }

  /** An acquisition that can be aborted while it is under way. */
  acquireAbortable(path: string, waitMs?: number): { lock: Promise<RemoteLock>; abort(): Promise<unknown> } {
    const id = this.#nextId++
    const lock = this.#command(id, 'acquire', { path, waitMs }).then((handle) => new RemoteLock(this, handle as Handle))
    return { lock, abort: () => this.ask('abort', { which: id }) }
  }

  /** An acquisition that has to wait. Resolves when it does. */
  async wait(path: string, waitMs?: number): Promise<{ lock: Promise<RemoteLock> }> {
    const waiting = this.says('waiting')
    const lock = this.acquire(path, waitMs)
    await Promise.race([waiting, lock])
    await this.ask('ping') // it looks once more before it waits
    return { lock }
  }

  async acquireSync(path: string, waitMs?: number): Promise<RemoteLock> {
    return new RemoteLock(this, (await this.ask('acquireSync', { path, waitMs })) as Handle)
  }

  async tryAcquire(path: string): Promise<RemoteLock | null> {
    const handle = (await this.ask('tryAcquire', { path })) as Handle | null
    return handle === null ? null : new RemoteLock(this, handle)
  }

  async tryAcquireSync(path: string): Promise<RemoteLock | null> {
    const handle = (await this.ask('tryAcquireSync', { path })) as Handle | null
    return handle === null ? null : new RemoteLock(this, handle)
  }

  inspect(path: string): Promise<Inspection> {
    return this.ask('inspect', { path }) as Promise<Inspection>
  }

  /** The error of an acquisition that fails. */
  async refusal(path: string, op: 'acquire' | 'tryAcquire' | 'acquireSync' | 'tryAcquireSync' = 'tryAcquire', waitMs?: number) {
    return refusalOf(this.ask(op, { path, waitMs }))
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
    // What entered a space for it stops itself when it stops, and is not woken with it.
    if (signal === 'SIGCONT') this.#child.kill(signal)
  }

  /** Kills it, and resolves when the kernel has buried it. */
  async murder(): Promise<void> {
    this.kill('SIGKILL')
    await this.ended
  }
}

/** The error that a question to an agent is answered with. */
export async function refusalOf(answer: Promise<unknown>): Promise<RemoteError> {
  try {
    await answer
  } catch (error) {
    if (error instanceof AgentError) return error.remote
    throw error
  }
  throw new Error('Expected a refusal, got what was asked for')
}

/** `unshare`, `nsenter` and the like start the process itself as their child. */
async function innermost(pid: number): Promise<number> {
  const [child] = await childrenOf(pid)
  return child === undefined ? pid : innermost(child)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It was faster.
  }
}
