/**
 * One mount, as this thread uses it: the lane for asynchronous calls, and the heartbeat thread, which runs as long as there
 * are sessions on it. Created once for each device.
 */

import { clearTimeout, monotonicMs, setTimeout } from '../drivers/clock.js'
import { BeatBudget } from './beat-budget.js'
import { Lane } from '../drivers/lane.js'
import { missingDirectory } from '../drivers/threads.js'
import { eitherWay, type Work } from '../drivers/work.js'
import type { Session } from '../protocol/session.js'
import { Heartbeat, type SessionListener, startedBlocking } from './heartbeat.js'
import type { DirectorySeed, KeepOrder } from './heartbeat-messages.js'
import type { SharedLease } from './shared-lease.js'

export type { SessionListener } from './heartbeat.js'

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
  const deadlineMs = monotonicMs() + waitMs
  const endings = [...mounts.values()].map((mount) => mount.endAll())
  return endings.every((isOver) => isOver(deadlineMs))
}

let mayBlock = false
/**
 * For a program that does nothing else on its main thread: where the current directory is gone, asynchronous calls start
 * the heartbeat thread as blocking ones do.
 */
export function mayBlockToStartThreads(): void {
  mayBlock = true
}

/** How long closing waits for a mount. Chosen, not measured: far more than a healthy one needs, and short enough for a user. */
const END_MS_MAX = 5000

/**
 * A thread without sessions ends after this time. Chosen: to start one takes 20 to 40 ms, and a program may make a locker for
 * each lock.
 */
const IDLE_MS = 1000

export class Mount {
  readonly lane = new Lane()
  /** How many sessions its thread can keep alive. */
  readonly budget = new BeatBudget()
  #heartbeat: Heartbeat | undefined
  #users = 0
  #idleTimer: NodeJS.Timeout | undefined
  #background: Promise<unknown> = Promise.resolve();

  /**
   * Does something for which the heartbeat thread must run, such as making a session.
   * @throws MountlockError if it does not start
   */
  *withHeartbeat<T>(work: () => Work<T>): Work<T> {
    this.#users++
    try {
      yield* eitherWay(
        () => this.#startBlocking(),
        () => this.#start(),
      )
      return yield* work()
    } finally {
      this.#users--
      this.#stopWhenIdle()
    }
  }

  async #start(): Promise<void> {
    if (mayBlock && this.#heartbeat === undefined && missingDirectory() !== null) return this.#startBlocking()
    this.#heartbeat ??= this.#newHeartbeat()
    await this.#heartbeat.started()
  }

  #startBlocking(): void {
    if (this.#heartbeat === undefined) startedBlocking(() => this.#newHeartbeat())
    else this.#heartbeat.waitBlocking()
  }

  #newHeartbeat(): Heartbeat {
    const heartbeat = new Heartbeat(
      this.budget.measure.buffer,
      () => this.#stopWhenIdle(),
      () => {
        if (this.#heartbeat === heartbeat) this.#heartbeat = undefined
      },
    )
    this.#heartbeat = heartbeat
    return heartbeat
  }

  #stopWhenIdle(): void {
    clearTimeout(this.#idleTimer)
    if (this.#users > 0 || !this.#heartbeat?.isIdle) return
    this.#idleTimer = setTimeout(() => {
      if (this.#users > 0 || !this.#heartbeat?.isIdle) return
      this.#heartbeat.stop()
      this.#heartbeat = undefined
    }, IDLE_MS)
    this.#idleTimer.unref()
  }

  /** From now on the thread keeps the session alive; if it has ended meanwhile, the session has too. */
  watch(session: Session, lease: SharedLease, directory: DirectorySeed, listener: SessionListener): void {
    if (this.#heartbeat === undefined) listener.onRetired('heartbeat-ended')
    else this.#heartbeat.watch(session, lease, directory, listener)
  }

  /**
   * From now on the thread refreshes that file, until it is told otherwise: for the holder of a session, which keeps the thread
   * running. @returns how to tell it; `null`: the thread has ended
   */
  keepFile(order: KeepOrder, onLost: (reason: 'reaped' | 'unlocked') => void): (() => void) | null {
    const heartbeat = this.#heartbeat
    if (heartbeat === undefined) return null
    heartbeat.keepFile(order, onLost)
    return () => heartbeat.forgetFile(order.id)
  }

  /**
   * Makes sure that this generation is not held by that session. Where its thread has ended, others convict it for its
   * silence.
   */
  settle(sessionId: string, lockPath: string, generation: bigint): void {
    this.#heartbeatOf(sessionId)?.settle(sessionId, lockPath, generation)
  }

  /** Ends a session. Where its thread has ended, nothing renews it: others convict it for its silence. */
  end(sessionId: string): void {
    this.#heartbeatOf(sessionId)?.end(sessionId)
  }

  /** Ends a session and waits for it, for a bounded time: on a dead mount it ends when its lease does. */
  async ended(sessionId: string): Promise<void> {
    await this.#heartbeatOf(sessionId)?.ended(sessionId, END_MS_MAX)
  }

  /** Ends all sessions. Returns how to wait for it, blocking, until a deadline. */
  endAll(): (deadlineMs: number) => boolean {
    const heartbeat = this.#heartbeat
    if (heartbeat === undefined) return () => true
    const done = heartbeat.end(null)
    return (deadlineMs) => heartbeat.waitFor(done, deadlineMs)
  }

  /** The thread that a session was given to, if it still runs. */
  #heartbeatOf(sessionId: string): Heartbeat | undefined {
    return this.#heartbeat?.has(sessionId) ? this.#heartbeat : undefined
  }

  /**
   * Work without a waiter, such as cleaning up: one piece after the other, so that it never takes the whole lane. An
   * NFS server may make the removal of a file wait for a dead client for more than a minute.
   */
  inBackground(work: () => Promise<unknown>): void {
    this.#background = this.#background.then(work).catch(() => {}) // best effort
  }
}
