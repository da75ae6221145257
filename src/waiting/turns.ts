/** Who has had a lock for a while stands back for those who wait for it: whose turn it is, lock by lock. */

import type { Lockable } from '../lock-type/lock-type.js'
import type { NameWatch } from '../drivers/name-watch.js'
import { NodeTurn } from './node-turn.js'
import { ProcessTurn } from './process-turn.js'

/** How an acquisition went. */
export interface Acquired {
  token: bigint | null
  /** Somebody was seen waiting. */
  isWaitedFor: boolean
  /** We were. */
  hadToWait: boolean
}

/** What one process knows of the turn at one lock. */
export interface Turn {
  /** Somebody else was seen to hold it: on another node, or a process of this one. */
  saw(nowMs: number, isFar: boolean): void
  acquired(nowMs: number, how: Acquired): void
  released(nowMs: number, token: bigint | null): void
  /** How long to leave the lock to others, in milliseconds, 0 most of the time: for a process that comes back to it. */
  standBackMs(nowMs: number): number
  /** The same for a process that waits already. */
  leaveMs(nowMs: number): number
  /** Tells the names that processes of this host change in the lock's directory, at least those of releases. */
  listen(path: string, onName: (name: string | null) => void): NameWatch | null
  close(): void
}

const TURNS_MAX = 1000

/** The turns at all locks of a locker; those that it used last are remembered. */
export class Turns {
  readonly #turns = new Map<string, Turn>()

  of({ key, waitStyle }: Pick<Lockable, 'key' | 'waitStyle'>): Turn {
    const turn = this.#turns.get(key) ?? (waitStyle.isLocal ? new ProcessTurn(waitStyle.watchPath !== null) : new NodeTurn())
    this.#turns.delete(key)
    this.#turns.set(key, turn)
    if (this.#turns.size > TURNS_MAX) this.#forget(this.#turns.keys().next().value as string)
    return turn
  }

  #forget(key: string): void {
    this.#turns.get(key)?.close()
    this.#turns.delete(key)
  }

  close(): void {
    for (const key of this.#turns.keys()) this.#forget(key)
  }
}
