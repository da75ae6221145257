/**
 * A heartbeat thread, seen from the caller's thread. It starts or says why it does not; it is told what to keep alive; and
 * when it ends, for whatever reason, the sessions that were given to it are over. A thread that ended is never used again:
 * the next one is another object, and what is heard of this one concerns its own sessions alone.
 */

import { Worker } from 'node:worker_threads'
import { clearTimeout, monotonicMs, setTimeout } from '../drivers/clock.js'
import { assert } from '../assert.js'
import {
  awayFromMissingDirectory,
  isThreadAlive,
  missingAddressSpace,
  missingDirectory,
  obstacleToThreads,
  ownThreadCount,
  ownThreads,
  startOfThread,
} from '../drivers/threads.js'
import { type LostReason, MountlockError } from '../errors.js'
import type { Session } from '../protocol/session.js'
import { heartbeatCode } from './heartbeat-code.js'
import { START_MS_MAX, startFailure, tooSlow } from './heartbeat-failure.js'
import type { DirectorySeed, FromThread, HeartbeatData, KeepOrder, ToThread } from './heartbeat-messages.js'
import { SharedFlag, type SharedLease } from './shared-lease.js'

export interface SessionListener {
  /** The session is over. */
  onRetired(reason: Extract<LostReason, 'retired' | 'heartbeat-ended'>): void
  onRefreshFailed(code: string): void
  onNamesMissing(): void
  /** For too long it could not be told whether it holds a lock that nothing uses. */
  onUnsettled(): void
}

/**
 * How often a blocked caller looks whether the thread that it waits for still lives: its end is told to an event loop only.
 * Chosen: about what it takes to start a thread.
 */
const LOOK_MS = 20

export class Heartbeat {
  readonly #worker: Worker
  readonly #ready = new SharedFlag()
  readonly #threadsBefore: readonly string[] | null
  /** Its number for the system, and of others that were started at the same moment; empty as long as that is not known. */
  #threadIds: readonly string[] = []
  readonly #onIdle: () => void
  readonly #onOver: () => void
  /** What it keeps alive; `null`: nothing is to be told any more, and its end is under way. */
  readonly #sessions = new Map<string, SessionListener | null>()
  readonly #onFileLost = new Map<string, (reason: 'reaped' | 'unlocked') => void>()
  readonly #onEnded = new Map<string, () => void>()
  readonly #starting = deferred()
  readonly #startTimer: NodeJS.Timeout
  #waiting = 0
  #isOver = false

  /**
   * `measured`: for what a heartbeat takes. `onIdle`: the last session has ended. `onOver`: this thread is not to be
   * used any more.
   * @throws MountlockError
   */
  constructor(measured: SharedArrayBuffer, onIdle: () => void, onOver: () => void) {
    this.#onIdle = onIdle
    this.#onOver = onOver
    this.#threadsBefore = ownThreads()
    const obstacle = missingAddressSpace() ?? (this.#threadsBefore === null ? obstacleToThreads() : null)
    if (obstacle !== null) throw startFailure(obstacle) // a blocked caller would not notice that the thread has ended
    try {
      this.#worker = new Worker(heartbeatCode, {
        eval: true,
        workerData: { ready: this.#ready.buffer, measured } satisfies HeartbeatData,
        // Flags such as --import are for the program, and would run in every thread.
        execArgv: [],
        name: 'mountlock',
      })
      this.#threadIds = this.#newThreads() ?? []
    } catch (error) {
      throw startFailure(error)
    }
    this.#worker.on('message', (message: FromThread) => this.#receive(message))
    // Of a thread that fails both are heard.
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('exit', () => this.#fail(undefined))
    this.#worker.unref() // a held lock does not keep the process alive; after the listeners, because adding one takes this back
    this.#startTimer = setTimeout(() => this.#fail(tooSlow()), START_MS_MAX)
    this.#startTimer.unref()
  }

  /** Resolves when it runs. @throws MountlockError */
  async started(): Promise<void> {
    if (!this.#ready.isSet) await startOfThread(this.#whileAlive(this.#starting.promise))
  }

  /** Blocks until it runs. @throws MountlockError */
  waitBlocking(): void {
    const deadlineMs = monotonicMs() + START_MS_MAX
    if (this.waitFor(this.#ready, deadlineMs)) return
    throw this.#fail(this.#isGone() ? undefined : tooSlow())
  }

  /** Blocks until the flag is set, the time is over or the thread has gone; `true` if the flag is set. */
  waitFor(flag: SharedFlag, deadlineMs: number): boolean {
    for (;;) {
      const restMs = deadlineMs - monotonicMs()
      if (flag.waitBlocking(Math.min(LOOK_MS, restMs))) return true
      if (restMs <= 0 || this.#isGone()) return flag.isSet
    }
  }

  /** `false` also where it cannot be told. */
  #isGone(): boolean {
    if (this.#isOver) return true
    if (this.#threadIds.length === 0) {
      // It ended before it was ever seen, or the list left it out because another thread ended at that moment.
      const ids = this.#newThreads()
      if (ids === null) return this.#isOneMissing()
      this.#threadIds = ids
    }
    return !this.#threadIds.some(isThreadAlive)
  }

  /**
   * Without a descriptor threads can still be counted. One that fails to start keeps those that it took until its end
   * is heard.
   */
  #isOneMissing(): boolean {
    const [before, count] = [this.#threadsBefore?.length, ownThreadCount()]
    return before !== undefined && count !== null && count <= before
  }

  #newThreads(): string[] | null {
    const [before, now] = [this.#threadsBefore, ownThreads()]
    return before && now && now.filter((id) => !before.includes(id))
  }

  has(sessionId: string): boolean {
    return this.#sessions.has(sessionId)
  }

  get isIdle(): boolean {
    return this.#sessions.size === 0
  }

  /** From now on the thread keeps the session alive. Takes effect even if this thread never returns to its event loop. */
  watch(session: Session, lease: SharedLease, directory: DirectorySeed, listener: SessionListener): void {
    this.#sessions.set(session.record.id, listener)
    this.#send({ type: 'watch', session, lease: lease.buffer, directory })
  }

  settle(sessionId: string, lockPath: string, generation: bigint): void {
    this.#send({ type: 'settle', sessionId, lockPath, generation })
  }

  /** `onLost`: that the thread itself has ended is told of its sessions only. */
  keepFile(order: KeepOrder, onLost: (reason: 'reaped' | 'unlocked') => void): void {
    this.#onFileLost.set(order.id, onLost)
    this.#send({ type: 'keep', order })
  }

  forgetFile(id: string): void {
    if (this.#onFileLost.delete(id) && !this.#isOver) this.#send({ type: 'forget', id })
  }

  /** Ends a session, or all of them. The flag is set when that has been done or has failed. */
  end(sessionId: string | null): SharedFlag {
    const done = new SharedFlag()
    if (this.isIdle) done.set()
    else this.#send({ type: 'end', sessionId, done: done.buffer })
    if (sessionId !== null && this.#sessions.has(sessionId)) this.#sessions.set(sessionId, null)
    return done
  }

  /** Ends a session. Resolves when that has been done or has failed, or the time is over. */
  async ended(sessionId: string, waitMs: number): Promise<void> {
    if (!this.#sessions.has(sessionId)) return
    const ended = deferred()
    const timer = setTimeout(ended.resolve, waitMs)
    this.#onEnded.set(sessionId, ended.resolve)
    this.end(sessionId)
    await this.#whileAlive(ended.promise)
    clearTimeout(timer)
    this.#onEnded.delete(sessionId)
  }

  /** Ends the thread, which has nothing to keep alive. */
  stop(): void {
    assert(this.isIdle, 'a heartbeat thread without sessions', [...this.#sessions.keys()])
    this.#isOver = true
    clearTimeout(this.#startTimer)
    this.#worker.postMessage({ type: 'stop' } satisfies ToThread)
  }

  #send(message: ToThread): void {
    assert(!this.#isOver, `a heartbeat thread to tell "${message.type}" to`, 'one that has ended')
    this.#worker.postMessage(message)
  }

  #receive(message: FromThread): void {
    if (this.#isOver) return
    if (message.type === 'ready') {
      clearTimeout(this.#startTimer)
      return this.#starting.resolve()
    }
    if (message.type === 'file-lost') return this.#onFileLost.get(message.id)?.(message.reason)
    const listener = this.#sessions.get(message.sessionId)
    switch (message.type) {
      case 'refresh-failed':
        return listener?.onRefreshFailed(message.code)
      case 'unsettled':
        return listener?.onUnsettled()
      case 'names-missing':
        return listener?.onNamesMissing()
      case 'retired':
        return listener?.onRetired('retired')
      case 'ended':
        this.#sessions.delete(message.sessionId)
        this.#onEnded.get(message.sessionId)?.()
        if (this.isIdle) this.#onIdle()
    }
  }

  /**
   * Without its thread no heartbeat is written, so everything that it kept alive is lost. Returns what to say of a
   * failed start.
   */
  #fail(cause: unknown): MountlockError {
    const failure = cause instanceof MountlockError ? cause : startFailure(cause)
    if (this.#isOver) return failure
    this.#isOver = true
    clearTimeout(this.#startTimer)
    void this.#worker.terminate()
    this.#onOver()
    this.#starting.reject(failure)
    for (const resolve of this.#onEnded.values()) resolve()
    const listeners = [...this.#sessions.values()]
    this.#sessions.clear()
    for (const listener of listeners) listener?.onRetired('heartbeat-ended')
    return failure
  }

  /** While a caller waits for the thread, it keeps the process alive. */
  async #whileAlive<T>(promise: Promise<T>): Promise<T> {
    this.#waiting++
    this.#worker.ref()
    try {
      return await promise
    } finally {
      if (--this.#waiting === 0) this.#worker.unref()
    }
  }
}

/**
 * A thread that runs when this returns. In a directory that is gone Node starts none (each thread asks for the current
 * directory first), so this goes elsewhere meanwhile, which only a caller can do that blocks. @throws MountlockError
 */
export function startedBlocking(start: () => Heartbeat): Heartbeat {
  const startHere = () => {
    const heartbeat = start()
    heartbeat.waitBlocking()
    return heartbeat
  }
  if (missingDirectory() === null) return startHere()
  try {
    return awayFromMissingDirectory(startHere)
  } catch (error) {
    throw error instanceof MountlockError ? error : startFailure(error)
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. A rejection without a waiter is no event. */
function deferred() {
  let resolve!: () => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}
