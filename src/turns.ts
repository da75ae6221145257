/**
 * Fairness. Whoever has a lock is the first to know that it is free again, and would keep it for ever; those who wait learn
 * of it later: from a file watch on the same host, on other nodes by asking now and then. So who has had a lock for a
 * while, over and over, and knows that others wait, stands back for as long as one of them needs to take it.
 */

import { NETWORK_POLL_MS_MAX, SPREAD_MS_MAX } from './waiting.js'

interface Manners {
  /** How long a process may go on taking a lock that others wait for. */
  turnMs: number
  standBackMs: number
}

const LOCAL: Manners = { turnMs: 5, standBackMs: 1.5 * SPREAD_MS_MAX }
const NETWORK: Manners = { turnMs: 250, standBackMs: 1.5 * NETWORK_POLL_MS_MAX }
/** A longer pause between two acquisitions ends the turn by itself. */
const PAUSE_MS = 100
/** How long a sign of somebody waiting counts. */
const CONTENDED_MS = 5000

/** One process's turn at one lock. */
export class Turn {
  readonly #manners: Manners
  #sinceMs = 0
  #endMs = Number.NEGATIVE_INFINITY
  #contendedUntilMs = Number.NEGATIVE_INFINITY

  constructor(isLocal: boolean) {
    this.#manners = isLocal ? LOCAL : NETWORK
  }

  /** `isContended`: we had to wait ourselves, or saw that somebody else does. */
  acquired(nowMs: number, isContended: boolean): void {
    if (nowMs - this.#endMs > PAUSE_MS) this.#sinceMs = nowMs
    if (isContended) this.#contendedUntilMs = nowMs + CONTENDED_MS
    this.#endMs = nowMs
  }

  released(nowMs: number): void {
    this.#endMs = nowMs
  }

  /** How long to wait before the next attempt; 0 most of the time. */
  standBackMs(nowMs: number): number {
    const isOver = nowMs - this.#sinceMs >= this.#manners.turnMs && nowMs - this.#endMs <= PAUSE_MS
    return isOver && nowMs < this.#contendedUntilMs ? this.#manners.standBackMs : 0
  }
}

const TURNS_MAX = 1000

/** The turns at all locks of a locker; those that it used last are remembered. */
export class Turns {
  readonly #turns = new Map<string, Turn>()

  of(key: string, isLocal: boolean): Turn {
    const turn = this.#turns.get(key) ?? new Turn(isLocal)
    this.#turns.delete(key)
    this.#turns.set(key, turn)
    if (this.#turns.size > TURNS_MAX) this.#turns.delete(this.#turns.keys().next().value as string)
    return turn
  }
}
