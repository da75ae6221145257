/** Who has had a lock for a while stands back for those who wait for it: whose turn it is, lock by lock. */

import type { Target } from './hold.js'
import { NodeTurn } from './node-turn.js'
import { ProcessTurn } from './process-turn.js'

/** What one process knows of the turn at one lock. */
export interface Turn {
  /** Another node holds it. */
  sawFar(): void
  /** While we stood back somebody else had it. */
  sawOther(): void
  /** `isWaitedFor`: somebody was seen waiting. `hadToWait`: we were. */
  acquired(nowMs: number, isWaitedFor: boolean, hadToWait: boolean): void
  released(nowMs: number): void
  /** How long to leave the lock to others, in milliseconds, 0 most of the time: for a process that comes back to it. */
  standBackMs(nowMs: number): number
  /** The same for a process that waits already. */
  leaveMs(nowMs: number): number
}

const TURNS_MAX = 1000

/** The turns at all locks of a locker; those that it used last are remembered. */
export class Turns {
  readonly #turns = new Map<string, Turn>()

  of({ key, waitStyle }: Pick<Target, 'key' | 'waitStyle'>): Turn {
    const turn = this.#turns.get(key) ?? (waitStyle.isLocal ? new ProcessTurn(waitStyle.watchPath !== null) : new NodeTurn())
    this.#turns.delete(key)
    this.#turns.set(key, turn)
    if (this.#turns.size > TURNS_MAX) this.#turns.delete(this.#turns.keys().next().value as string)
    return turn
  }
}
