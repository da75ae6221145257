/** Where a waiter stands in the line: those that came before it, less those that have had their turn since. */

import type { Ahead } from '../lock-type/lock-type.js'

export class Standing {
  #ahead: readonly Ahead[] | null = null
  #isCurrent = false
  /** Sessions that took the lock meanwhile, as far as its entries tell, and the generation that each took. */
  readonly #served = new Map<string, bigint>()

  /** How many came before, as far as is known; `null`: it has no place yet. */
  get before(): number | null {
    return this.#ahead?.length ?? null
  }

  get isFirst(): boolean {
    return this.#isCurrent && this.before === 0
  }

  /** What is known is from just now, or follows from what was seen since. */
  get isCurrent(): boolean {
    return this.#isCurrent
  }

  /** Its turn is far: it need not know how far. */
  get isFar(): boolean {
    return this.before !== null && this.before > 1
  }

  /** Of a listing of tickets, those that still wait: a session that has had its turn leaves its ticket for a moment. */
  stillWaiting(listed: readonly Ahead[]): Ahead[] {
    return listed.filter(({ sessionFile, generation }) => generation >= (this.#served.get(sessionFile) ?? 0n))
  }

  placed(ahead: readonly Ahead[]): void {
    this.#ahead = ahead
    this.#isCurrent = true
  }

  get isOutdated(): boolean {
    return this.#ahead !== null && !this.#isCurrent
  }

  /** It has not followed what happened. */
  outdated(): void {
    this.#isCurrent = false
  }

  /**
   * A process has taken the lock: that session, or, where the entry tells none, most likely the first in line. `missed`: so many
   * have had it before, and were not seen. Tells whether the place is certain.
   */
  served(generation: bigint, sessionFile: string | null, missed = 0): boolean {
    if (sessionFile !== null) this.#served.set(sessionFile, generation)
    const ahead = this.#ahead ?? []
    const others = ahead.filter((one) => one.sessionFile !== sessionFile)
    const isTold = sessionFile !== null && others.length < ahead.length
    if (this.#isCurrent) this.#ahead = (isTold ? others : ahead.slice(1)).slice(missed)
    return isTold && missed === 0
  }
}
