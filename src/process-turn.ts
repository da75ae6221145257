/**
 * Fairness between the processes of one host, on its own file system. Whoever has a lock is the first to know that it is
 * free again, and would keep it for ever; those who wait learn of it from a file watch, which takes longer. So who has had
 * it for a moment, over and over, and knows that others wait, stands back for as long as one of them needs to take it.
 */

import type { Turn } from './turns.js'
import { SPREAD_MS_MAX } from './waiting.js'

/** How long a process may go on taking a lock that others wait for. */
const TURN_MS = 5
/** A longer pause between two acquisitions ends the turn by itself. */
const PAUSE_MS = 100
/** How long a sign of somebody waiting counts. */
const CONTENDED_MS = 5000
const STAND_BACK_MS = 1.5 * SPREAD_MS_MAX

export class ProcessTurn implements Turn {
  #sinceMs = 0
  #endMs = Number.NEGATIVE_INFINITY
  #contendedUntilMs = Number.NEGATIVE_INFINITY

  /** There are no other nodes. */
  sawFar(): void {}

  acquired(nowMs: number, isWaitedFor: boolean, hadToWait: boolean): void {
    if (nowMs - this.#endMs > PAUSE_MS) this.#sinceMs = nowMs
    if (isWaitedFor || hadToWait) this.#contendedUntilMs = nowMs + CONTENDED_MS
    this.#endMs = nowMs
  }

  released(nowMs: number): void {
    this.#endMs = nowMs
  }

  standBackMs(nowMs: number): number {
    const isOver = nowMs - this.#sinceMs >= TURN_MS && nowMs - this.#endMs <= PAUSE_MS
    return isOver && nowMs < this.#contendedUntilMs ? STAND_BACK_MS : 0
  }

  /** Who waits already is one of those who are stood back for. */
  leaveMs(): number {
    return 0
  }
}
