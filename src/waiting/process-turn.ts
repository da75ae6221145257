/**
 * Fairness between the processes of one host, on its own file system. Whoever has a lock is the first to know that it is
 * free again, and would keep it for ever; those who wait learn of it from a file watch, which takes longer. So who comes
 * back to it at once stands back for as long as one of them needs to take it: each time when somebody is known to wait, and
 * now and then to find out.
 */

import { type NameWatch, watchNames } from '../drivers/name-watch.js'
import type { Acquired, Turn } from './turns.js'
import { SPREAD_MS_MAX } from './waiter.js'

/** How long a process goes on taking a lock for which nobody is known to wait: longer each time that nobody came. */
const LONE_TURN_MS_MIN = 100
const LONE_TURN_MS_MAX = 3200
/** A longer pause between two acquisitions is a chance for everybody: it ends the turn by itself. */
const PAUSE_MS = 100
/** At the longest: who sees the next release comes back with it. Who waits without a watch asks once in that time. */
const STAND_BACK_MS = 1.5 * SPREAD_MS_MAX
/** Who is woken late, on a loaded machine, may miss one; and who waits without a watch asks only now and then. */
const CHANCES = 4
const CHANCES_BLIND = 40

export class ProcessTurn implements Turn {
  /** Since when we have taken it again and again; `null`: somebody else has had it. */
  #sinceMs: number | null = null
  readonly #chancesMax: number
  #endMs = Number.NEGATIVE_INFINITY
  #stoodBack = false
  /** How often we still stand back before nobody is believed to wait. */
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
    else if (this.#stoodBack) this.#nobodyCame()
    if (nowMs - this.#endMs > PAUSE_MS) this.#sinceMs = null
    this.#sinceMs ??= nowMs
    this.#endMs = nowMs
  }

  #nobodyCame(): void {
    if (this.#chances > 0) this.#chances--
    else this.#loneTurnMs = Math.min(LONE_TURN_MS_MAX, 2 * this.#loneTurnMs)
    this.#sinceMs = null
    this.#stoodBack = false
  }

  released(nowMs: number): void {
    this.#endMs = nowMs
  }

  standBackMs(nowMs: number): number {
    const turnMs = this.#chances > 0 ? 0 : this.#loneTurnMs
    if (nowMs - (this.#sinceMs ?? nowMs) < turnMs || nowMs - this.#endMs > PAUSE_MS) return 0
    this.#stoodBack = true
    return STAND_BACK_MS
  }

  /** Who waits already is one of those who are stood back for. */
  leaveMs(): number {
    return 0
  }

  listen(path: string, onName: (name: string | null) => void): NameWatch | null {
    return watchNames(path, onName)
  }

  close(): void {}
}
