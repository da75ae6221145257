/**
 * Coming back: a process that has just released a lock is the first to know that it is free, and would keep it for itself in a
 * tight loop. So it leaves it to others, once, where it knows of some: for one grace each; `tryAcquire` for one at most.
 *
 * - Of a hard or symbolic link it lists the lock's directory in every cycle, and sees there whether waiters have tickets.
 * - A claim by rename is two requests, and neither tells anything of waiters; an advisory lock has no tickets. There it knows of
 *   others for a while after it has met one: the lock was held when it came. A process that meets none asks once in so long all
 *   the same: for tickets, or, where there are none, by leaving the lock alone.
 */

import { assert } from '../assert.js'
import type { Lockable, WaitStyle } from '../lock-type/lock-type.js'

/** In milliseconds. */
interface Terms {
  /** For so long after its release the lock is left to others. */
  graceMs: number
  /** Before that it comes back freely for so long: where waiters take longer to notice a release than to use the lock. */
  turnMs: number
  /** Others are remembered for so long. */
  memoryMs: number
  /** A process that meets none goes on for so long without asking. */
  askMs: number
}

/** A waiter with a watch is woken within it (`pace.ts`). One without a watch looks after 10 ms or more, and may miss it. */
const LOCAL: Terms = { graceMs: 5, turnMs: 0, memoryMs: 1000, askMs: 1000 }
/**
 * Two cheap looks of the first in line. Asking for tickets is one request: two a second are few, and the first waiters of a lock
 * wait no longer than that for a process which has not met any.
 */
const NETWORK: Terms = { graceMs: 130, turnMs: 0, memoryMs: 5000, askMs: 500 }
/** A waiter without a ticket asks within it for its first tenth of a second. Within the memory it has some eighty chances. */
const LOCAL_BLIND: Terms = { graceMs: 12, turnMs: 0, memoryMs: 1000, askMs: 1000 }
/** By then every waiter has asked. 250 ms of use first make that worth its cost. */
const NETWORK_BLIND: Terms = { graceMs: 450, turnMs: 250, memoryMs: 5000, askMs: 5000 }

function termsOf({ isLocal }: WaitStyle, hasTickets: boolean): Terms {
  if (hasTickets) return isLocal ? LOCAL : NETWORK
  return isLocal ? LOCAL_BLIND : NETWORK_BLIND
}

/** What one process knows of one lock that it takes again and again. Times are those of `monotonicMs()`. */
export class ComingBack {
  readonly #terms: Terms
  /** Did waiters have tickets when it took the lock? `null`: that is not told. */
  #isAwaited: boolean | null = false
  #releasedMs = Number.NEGATIVE_INFINITY
  /** When it last met another process. */
  #metMs = Number.NEGATIVE_INFINITY
  /** Since when it comes back freely. */
  #sinceMs: number | null = null

  constructor(style: WaitStyle, hasTickets: boolean) {
    this.#terms = termsOf(style, hasTickets)
  }

  /** `isAwaited`: waiters had tickets; `null`: that is not told. */
  acquired(nowMs: number, isAwaited: boolean | null): void {
    this.#isAwaited = isAwaited
    // A longer pause is a chance for every waiter.
    if (nowMs - this.#releasedMs > this.#terms.graceMs) this.#sinceMs = nowMs
  }

  released(nowMs: number): void {
    this.#releasedMs = nowMs
  }

  met(nowMs: number): void {
    this.#metMs = nowMs
  }

  /** Until when the lock is to be left to so many others, if there are any; `null`: it need not be asked. */
  leaveUntilMs(nowMs: number, others: number): number | null {
    const untilMs = this.#releasedMs + others * this.#terms.graceMs
    if (untilMs <= nowMs) return null
    if (this.#isAwaited !== null) return this.#isAwaited ? untilMs : null
    const { turnMs, memoryMs, askMs } = this.#terms
    const hasMet = nowMs - this.#metMs < memoryMs
    return nowMs - (this.#sinceMs ?? nowMs) >= (hasMet ? turnMs : askMs) ? untilMs : null
  }

  /** It has asked, or left the lock alone: it may come back freely again. */
  asked(nowMs: number, isAwaited: boolean): void {
    this.#sinceMs = nowMs
    if (isAwaited) this.met(nowMs)
  }
}

/** A bound on memory, not measured: each is a hundred bytes, and forgetting one costs a little fairness. */
const LOCKS_MAX = 1000

/** Those locks that were used last. */
export class ComingsBack {
  readonly #locks = new Map<string, ComingBack>()

  of({ key, waitStyle, hasTickets }: Pick<Lockable, 'key' | 'waitStyle' | 'hasTickets'>): ComingBack {
    const known = this.#locks.get(key) ?? new ComingBack(waitStyle, hasTickets)
    this.#locks.delete(key)
    this.#locks.set(key, known)
    if (this.#locks.size > LOCKS_MAX) this.#forgetOldest()
    return known
  }

  #forgetOldest(): void {
    const [oldest] = this.#locks.keys()
    assert(oldest !== undefined, 'a lock to forget', this.#locks.size)
    this.#locks.delete(oldest)
  }
}
