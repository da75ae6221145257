/**
 * Fairness between the processes of one host, on its own file system. The process that has a lock is the first to know that
 * it is free again, and would keep it for ever; waiters learn of it from a file watch, which takes longer. So a process that
 * comes back to it at once stands back for as long as a waiter needs to take it: each time when a waiter is known, and now
 * and then to find out. With the figures below 16 processes share a lock with a coefficient of variation of 0.12 to 0.14,
 * link-based, rename-based and advisory (docs/benchmarks, "Fairness"); each of them alone was not measured.
 */

import { type NameWatch, watchNames } from '../drivers/name-watch.js'
import { SPREAD_MS_MAX } from './pace.js'
import type { Acquired, Turn } from './turn.js'

/** How long a process goes on taking a lock for which no waiter is known: longer each time that none came. */
const LONE_TURN_MS_MIN = 100
const LONE_TURN_MS_MAX = 3200
/** A longer pause between two acquisitions is a chance for every waiter: it ends the turn by itself. */
const PAUSE_MS = 100
/**
 * At the longest: a process that sees the next release comes back with it. A waiter without a watch asks once in that
 * time, in the beginning.
 */
const STAND_BACK_MS = 1.5 * SPREAD_MS_MAX
/**
 * How often a process stands back before it believes that there is no waiter: one that is woken late, on a loaded machine, may
 * miss a chance, and one without a watch asks only every 40 ms.
 */
const CHANCES = 4
const CHANCES_BLIND = 40

export class ProcessTurn implements Turn {
  /** Since when this process has taken it again and again; `null`: another one has had it. */
  #sinceMs: number | null = null
  readonly #chancesMax: number
  #endMs = Number.NEGATIVE_INFINITY
  #stoodBack = false
  /** How often it still stands back before it believes that there is no waiter. */
  #chances = 0
  #loneTurnMs = LONE_TURN_MS_MIN

  constructor(isWatched: boolean) {
    this.#chancesMax = isWatched ? CHANCES : CHANCES_BLIND
  }

  saw(): void {
    this.#chances = this.#chancesMax
    this.#loneTurnMs = LONE_TURN_MS_MIN
    this.#sinceMs = null
    this.#stoodBack = false
  }

  acquired(nowMs: number, { isWaitedFor, hadToWait }: Acquired): void {
    if (isWaitedFor || hadToWait) this.saw()
    else if (this.#stoodBack) this.#noneCame()
    if (nowMs - this.#endMs > PAUSE_MS) this.#sinceMs = null
    this.#sinceMs ??= nowMs
    this.#endMs = nowMs
  }

  #noneCame(): void {
    if (this.#chances > 0) this.#chances--
    else this.#loneTurnMs = Math.min(LONE_TURN_MS_MAX, 2 * this.#loneTurnMs)
    this.#sinceMs = null
    this.#stoodBack = false
  }

  released(nowMs: number): void {
    this.#endMs = nowMs
  }

  leaveOnReturnMs(nowMs: number): number {
    const turnMs = this.#chances > 0 ? 0 : this.#loneTurnMs
    if (nowMs - (this.#sinceMs ?? nowMs) < turnMs || nowMs - this.#endMs > PAUSE_MS) return 0
    return STAND_BACK_MS
  }

  /** A process that already waits does not stand back. */
  leaveMs(): number {
    return 0
  }

  standsBack(): void {
    this.#stoodBack = true
  }

  listen(path: string, onName: (name: string | null) => void): NameWatch | null {
    return watchNames(path, onName)
  }

  close(): void {}
}
