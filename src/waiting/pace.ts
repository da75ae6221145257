/**
 * How often a waiter looks, and for how long a free lock is left to each. Figures of docs/benchmarks ("Hand-off on one host",
 * "Fairness"), where none is said to be chosen.
 */

import type { WaitStyle } from '../lock-type/lock-type.js'

/** How the waiters of one lock go about it, in milliseconds. */
export interface Pace {
  /** A free lock is left for so long to the waiter that came first, and then to the next. */
  graceMs: number
  /**
   * Between two looks that cost one request at the most, for the first in line (`brisk`: in its first seconds) and for the
   * others; `null`: a watch tells.
   */
  lookMs: { brisk: number; first: number; others: number } | null
  /** Between two tries that are made whatever was seen: they find holders that died, and what no watch and no look shows. */
  tryMs: { first: number; others: number }
}

/**
 * A waiter that is woken by a watch has the lock after 1 to 2 ms on a quiet machine. Polling finds holders that died: 14
 * operations per second of waiting (docs/benchmarks, "Operations on the file system").
 */
const WATCHED: Pace = { graceMs: 5, lookMs: null, tryMs: { first: 250, others: 250 } }

/** Where there is no watch to be had, on a file system of this host: a look is one listing. Chosen, not measured. */
const BLIND: Pace = { graceMs: 20, lookMs: { brisk: 10, first: 10, others: 40 }, tryMs: WATCHED.tryMs }

/**
 * Each look of the first in line is a GETATTR, and a hand-off takes half of its interval and a few requests: so many that a wait
 * of a minute takes less than twenty requests a second (docs/performance.md, "Waiting between nodes").
 */
const NETWORK_LOOK_MS = { brisk: 25, first: 65, others: 500 }
/** A try is a certain look that also reads the holder's record: eight to ten requests. Chosen, not measured. */
const NETWORK: Pace = { graceMs: 2 * NETWORK_LOOK_MS.first, lookMs: NETWORK_LOOK_MS, tryMs: { first: 5000, others: 20_000 } }

export function paceOf({ isLocal, refreshRateMs = Number.POSITIVE_INFINITY }: WaitStyle, isWatched: boolean): Pace {
  if (isLocal) return isWatched ? WATCHED : BLIND
  // Where holders show often that they live, one that died is to be noticed as soon.
  const { first, others } = NETWORK.tryMs
  return { ...NETWORK, tryMs: { first: Math.min(first, refreshRateMs), others: Math.min(others, 4 * refreshRateMs) } }
}

/** Most holds are short: the first in line looks more often for so long after the lock changed hands. Chosen, not measured. */
export const FIRST_BRISK_MS = 3000
/**
 * While a lock changes hands again and again, those behind the first look more often, the nearer the more, and where time stamps
 * are whole seconds certain looks come at their first interval.
 */
export const BRISK_MS = 1000

/**
 * The first certain look after a change of hands, for the first in line; for the second after twice as long, and so on: the first
 * makes one within a grace.
 */
export const CERTAIN_LOOK_MS = 100
/** One that found nothing new is made again when the lock has stood still for so many times as long. */
export const CERTAIN_GROWTH = 3
/** So that waiters do not march in step. Chosen, not measured. */
const JITTER = 0.2
export const jittered = (delayMs: number) => delayMs * (1 - JITTER + 2 * JITTER * Math.random())

/** First and last interval between two tries of a waiter without a ticket, in milliseconds, and by how much it grows. */
interface Polling {
  firstMs: number
  lastMs: number
  growth: number
}

/**
 * Without a server a try is cheap; a process that has waited longer can wait a little longer: about a tenth of it. At the
 * latest every 40 ms: with 60, hand-offs took 2.19 ms instead of less than 2 (docs/performance.md, "Advisory waiters").
 */
const LOCAL_POLLING: Polling = { firstMs: 1, lastMs: 40, growth: 1.1 }
/**
 * Each try is several round trips. It does not get much slower: a process that has waited longer must not ask more
 * rarely than a newcomer.
 */
const NETWORK_POLLING: Polling = { firstMs: 100, lastMs: 300, growth: 1.5 }

/** The intervals at which a waiter without a ticket tries again: with blocking calls, or for an advisory lock. */
export class Backoff {
  readonly #polling: Polling
  #nextMs: number

  constructor({ isLocal }: Pick<WaitStyle, 'isLocal'>) {
    this.#polling = isLocal ? LOCAL_POLLING : NETWORK_POLLING
    this.#nextMs = this.#polling.firstMs
  }

  nextMs(): number {
    const delayMs = jittered(this.#nextMs)
    this.#nextMs = Math.min(this.#polling.lastMs, this.#nextMs * this.#polling.growth)
    return delayMs
  }
}
