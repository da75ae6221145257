/** The turns at all locks of a locker. */

import { assert } from '../assert.js'
import type { Lockable } from '../lock-type/lock-type.js'
import { NodeTurn } from './node-turn.js'
import { ProcessTurn } from './process-turn.js'
import type { Turn } from './turn.js'

/** A bound on memory, not measured: a turn is some hundred bytes, and forgetting one costs a little fairness. */
const TURNS_MAX = 1000

/** Those that were used last are remembered. */
export class Turns {
  readonly #turns = new Map<string, Turn>()

  of({ key, waitStyle }: Pick<Lockable, 'key' | 'waitStyle'>): Turn {
    const turn = this.#turns.get(key) ?? (waitStyle.isLocal ? new ProcessTurn(waitStyle.watchPath !== null) : new NodeTurn())
    this.#turns.delete(key)
    this.#turns.set(key, turn)
    if (this.#turns.size > TURNS_MAX) this.#forgetOldest()
    return turn
  }

  #forgetOldest(): void {
    const [oldest] = this.#turns.keys()
    assert(oldest !== undefined, 'a turn to forget', this.#turns.size)
    this.#forget(oldest)
  }

  #forget(key: string): void {
    this.#turns.get(key)?.close()
    this.#turns.delete(key)
  }

  close(): void {
    for (const key of this.#turns.keys()) this.#forget(key)
  }
}
