/** One mount, as this thread uses it: the lane for asynchronous calls, and the heartbeat thread. Created once for each device. */

import { Worker } from 'node:worker_threads'
import { MountlockError } from '../errors.js'
import type { Session } from '../protocol/session.js'
import { BeatBudget } from './beat-budget.js'
import type { DirectorySeed, FromThread, HeartbeatData, ToThread } from './heartbeat-messages.js'
import { Lane } from '../drivers/lane.js'
import { SharedFlag, type SharedLease } from './shared-lease.js'

export interface SessionListener {
  onRetired(): void
  onRefreshFailed(code: string): void
  onNamesMissing(): void
}

const mounts = new Map<number, Mount>()
export const mountOfDevice = (dev: number): Mount => {
  const known = mounts.get(dev)
  if (known !== undefined) return known
  const mount = new Mount()
  mounts.set(dev, mount)
  return mount
}

/** Ends every session of this thread, blocking. `false` if a mount did not answer in time: then its thread is stuck. */
export function endAllSessions(waitMs: number): boolean {
  const deadline = performance.now() + waitMs
  const flags = [...mounts.values()].map((mount) => mount.end(null))
  return flags.every((flag) => flag.waitBlocking(deadline - performance.now()))
}

/** A thread that does not start within this time is a machine in trouble: fail rather than hang. */
const THREAD_START_MS_MAX = 30_000

/** How long closing waits for a mount. */
const END_MS_MAX = 5000

export class Mount {
  readonly lane = new Lane()
  /** How many sessions its thread can keep alive. */
  readonly budget = new BeatBudget()
  readonly #listeners = new Map<string, SessionListener>()
  #thread: Worker | undefined
  #ready: SharedFlag | undefined
  #started: Promise<void> | undefined
  #waiting = 0
  #background: Promise<unknown> = Promise.resolve()
  readonly #ended = new Map<string, () => void>()

  /** Makes sure that the heartbeat thread runs. */
  start(): Promise<void> {
    const thread = this.#startThread()
    if (this.#ready?.isSet) return Promise.resolve()
    this.#started ??= this.#whileAlive(
      new Promise((resolve, reject) => {
        thread.once('online', resolve)
        thread.once('error', reject)
      }),
    )
    return this.#started
  }

  /** Somebody waits for the thread: meanwhile it keeps the process alive. */
  async #whileAlive<T>(promise: Promise<T>): Promise<T> {
    this.#waiting++
    this.#thread?.ref()
    try {
      return await promise
    } finally {
      if (--this.#waiting === 0) this.#thread?.unref()
    }
  }

  /** The same, blocking. */
  startBlocking(): void {
    this.#startThread()
    if (!this.#ready?.waitBlocking(THREAD_START_MS_MAX)) {
      throw new MountlockError(`The heartbeat thread did not start within ${THREAD_START_MS_MAX} ms`, {
        code: 'HEARTBEAT_FAILED',
        advice: 'Check the memory and the load of this machine; nothing was locked.',
      })
    }
  }

  #startThread(): Worker {
    if (this.#thread !== undefined) return this.#thread
    const ready = new SharedFlag()
    // Flags such as --import are for the program, and would run in every thread.
    const thread = new Worker(new URL(import.meta.resolve('#heartbeat-thread')), {
      workerData: { ready: ready.buffer, measured: this.budget.measure.buffer } satisfies HeartbeatData,
      execArgv: [],
      name: 'mountlock',
    })
    thread.on('message', (message: FromThread) => this.#receive(message))
    thread.on('error', () => this.#abandon())
    thread.on('exit', () => this.#abandon())
    thread.unref() // a held lock does not keep the process alive; after the listeners, because adding one takes this back
    this.#thread = thread
    this.#ready = ready
    return thread
  }

  /** From now on the thread keeps the session alive. Takes effect even if this thread never returns to its event loop. */
  watch(session: Session, lease: SharedLease, directory: DirectorySeed, listener: SessionListener): void {
    this.#listeners.set(session.record.id, listener)
    this.#send({ type: 'watch', session, lease: lease.buffer, directory })
  }

  announceWaiting(sessionId: string, names: string[]): void {
    this.#send({ type: 'waiting', sessionId, names })
  }

  settle(sessionId: string, lockPath: string, generation: bigint): void {
    this.#send({ type: 'settle', sessionId, lockPath, generation })
  }

  /**
   * Work that nobody waits for, such as cleaning up: one piece after the other, so that it never takes the whole lane. An
   * NFS server may make the removal of a file wait for a dead client for more than a minute.
   */
  inBackground(work: () => Promise<unknown>): void {
    this.#background = this.#background.then(work).catch(() => {}) // best effort
  }

  /** Ends a session, or all of them. The flag is set when that has been done or has failed. */
  end(sessionId: string | null): SharedFlag {
    const done = new SharedFlag()
    if (this.#thread === undefined) done.set()
    else this.#send({ type: 'end', sessionId, done: done.buffer })
    if (sessionId !== null) this.#listeners.delete(sessionId)
    return done
  }

  /** Ends a session and waits for it, for a bounded time: on a dead mount it ends when its lease does. */
  async ended(sessionId: string): Promise<void> {
    if (this.#thread === undefined) return
    const ended = new Promise<void>((resolve) => {
      this.#ended.set(sessionId, resolve)
      setTimeout(resolve, END_MS_MAX).unref()
    })
    this.end(sessionId)
    await this.#whileAlive(ended)
    this.#ended.delete(sessionId)
  }

  #send(message: ToThread): void {
    this.#thread?.postMessage(message)
  }

  #receive(message: FromThread): void {
    if (message.type === 'ended') return this.#ended.get(message.sessionId)?.()
    const listener = this.#listeners.get(message.sessionId)
    if (message.type === 'refresh-failed') return listener?.onRefreshFailed(message.code)
    if (message.type === 'names-missing') return listener?.onNamesMissing()
    this.#listeners.delete(message.sessionId)
    listener?.onRetired()
  }

  /** Without its thread no heartbeat is written, so everything that it kept alive is lost. */
  #abandon(): void {
    this.#thread = undefined
    this.#started = undefined
    const listeners = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const resolve of this.#ended.values()) resolve()
    for (const listener of listeners) listener.onRetired()
  }
}
