/** Acquiring with blocking calls: while it waits, the thread does nothing else. */

import { monotonicMs } from '../drivers/clock.js'
import { runBlocking } from '../drivers/work.js'
import { LockTimeoutError } from '../errors.js'
import type { Locks, WaitStyle } from '../lock-type/lock-type.js'
import type { Holder } from '../types.js'
import { Backoff } from '../waiting/pace.js'
import { sleepBlocking } from '../waiting/sleep.js'
import type { LockHandle } from './handle.js'
import type { HeldLocks } from './held-locks.js'
import { heldBy, THIS_PROCESS } from './patience.js'
import { QueuePlace } from './queue.js'
import type { Report } from './report.js'

type Outcome =
  | { kind: 'acquired'; lock: LockHandle }
  /** `isHere`: by another call of this process. */
  | { kind: 'busy'; holder: string | null; owner: Holder | null; isHere: boolean; waitStyle: WaitStyle }

export class BlockingAcquisition {
  readonly #locks: Locks
  readonly #held: HeldLocks
  readonly #report: Report

  constructor(locks: Locks, held: HeldLocks, report: Report) {
    this.#locks = locks
    this.#held = held
    this.#report = report
  }

  withoutWaiting(path: string, shared: boolean): LockHandle | null {
    const outcome = this.#try(path, { shared, fresh: false })
    if (outcome.kind === 'acquired') return outcome.lock
    this.#report.busy(path, outcome.holder)
    return null
  }

  /** @throws LockTimeoutError */
  waiting(path: string, shared: boolean, waitMs: number): LockHandle {
    const deadlineMs = monotonicMs() + waitMs
    let backoff: Backoff | null = null
    for (;;) {
      const outcome = this.#try(path, { shared, fresh: backoff !== null })
      if (outcome.kind === 'acquired') return outcome.lock
      const remainingMs = deadlineMs - monotonicMs()
      // A lock of this very process cannot be released while its thread is blocked here.
      if (remainingMs <= 0 || outcome.isHere) throw this.#timeout(path, waitMs, outcome)
      backoff ??= new Backoff(outcome.waitStyle)
      sleepBlocking(Math.min(remainingMs, backoff.nextMs()))
    }
  }

  #timeout(path: string, waitMs: number, { holder, owner, isHere }: Extract<Outcome, { kind: 'busy' }>): LockTimeoutError {
    const error = new LockTimeoutError(path, waitMs, { why: heldBy(holder), holder: owner, isInVain: isHere && waitMs > 0 })
    this.#report.notAcquired(path, error)
    return error
  }

  #try(path: string, options: { shared: boolean; fresh: boolean }): Outcome {
    const lockable = runBlocking(this.#locks.at(path))
    const { waitStyle } = lockable
    const place = options.shared ? null : QueuePlace.tryTake(lockable.key)
    if (!options.shared && place === null) return { kind: 'busy', holder: THIS_PROCESS, owner: null, isHere: true, waitStyle }
    let lock: LockHandle | null = null
    try {
      const outcome = runBlocking(lockable.tryTake({ ...options, wanted: () => true }))
      if (outcome.kind === 'acquired') lock = this.#held.handOut(lockable.path, outcome, { place, comingBack: null })
      if (lock !== null) return { kind: 'acquired', lock }
      const { holder, owner } = outcome.kind === 'busy' ? outcome : { holder: null, owner: null }
      return { kind: 'busy', holder, owner, isHere: false, waitStyle }
    } catch (error) {
      this.#report.notAcquired(lockable.path, error)
      throw error
    } finally {
      const leaving = lockable.leave?.()
      if (leaving !== undefined) runBlocking(leaving)
      if (lock === null) place?.leave()
    }
  }
}
