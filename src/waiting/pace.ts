/**
 * How often a waiter tries again. The figures are those of docs/benchmarks ("Hand-off on one host": waiters woken by a watch,
 * and advisory ones, which are not) and of docs/lab.md ("hands over to a waiter on another node").
 */

import type { WaitStyle } from '../lock-type/lock-type.js'

/** First and last interval between two tries, in milliseconds, and by how much it grows. */
interface Pace {
  firstMs: number
  lastMs: number
  growth: number
}

/**
 * Woken by the watch; polling only finds holders that died: 14 operations per second of waiting (docs/benchmarks,
 * "Operations on the file system").
 */
const WATCHED: Pace = { firstMs: 250, lastMs: 250, growth: 1 }
/**
 * Without a server a try is cheap; a process that has waited longer can wait a little longer: about a tenth of it. At the
 * latest every 40 ms: with 60, hand-offs took 2.19 ms instead of less than 2 (docs/performance.md, "Advisory waiters").
 */
const LOCAL: Pace = { firstMs: 1, lastMs: 40, growth: 1.1 }
/** The median of hand-offs between nodes that this makes is 220 ms on NFSv3, at 27 requests a second (docs/lab.md). */
export const NETWORK_POLL_MS_MAX = 300
/**
 * Each try is several round trips. It does not get much slower: a process that has waited longer must not ask more
 * rarely than a newcomer.
 */
const NETWORK: Pace = { firstMs: 100, lastMs: NETWORK_POLL_MS_MAX, growth: 1.5 }
/** So that waiters do not march in step. Chosen, not measured. */
const JITTER = 0.2

/** The intervals at which to try again. */
export class Backoff {
  readonly #pace: Pace
  #nextMs: number

  constructor({ isLocal }: Pick<WaitStyle, 'isLocal'>, isWatched: boolean) {
    this.#pace = isLocal ? (isWatched ? WATCHED : LOCAL) : NETWORK
    this.#nextMs = this.#pace.firstMs
  }

  nextMs(): number {
    const delayMs = this.#nextMs * (1 - JITTER + 2 * JITTER * Math.random())
    this.#nextMs = Math.min(this.#pace.lastMs, this.#nextMs * this.#pace.growth)
    return delayMs
  }
}

/**
 * How far apart the waiters of one host try, at the most: 16 of them hand over in 2.9 ms, p99 15.1 (docs/benchmarks,
 * "Hand-off on one host").
 */
export const SPREAD_MS_MAX = 8
const SPREAD_MS_MIN = 2

/**
 * A release wakes all waiters of the host at once. A waiter that has tried in vain leaves the next ones some time, so that
 * they do not all try together.
 */
export class Spread {
  #spreadMs = 0

  nextMs(): number {
    const delayMs = Math.floor(Math.random() * this.#spreadMs)
    this.#spreadMs = Math.min(SPREAD_MS_MAX, Math.max(SPREAD_MS_MIN, 2 * this.#spreadMs))
    return delayMs
  }
}
