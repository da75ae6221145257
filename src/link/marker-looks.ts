/**
 * How many markers a process looks at (`protocol/marker.ts`) in one directory. A look is a request to the server, and a process
 * may take thousands of locks: then some are looked at now, and others when they are taken again.
 */

/** Chosen, not measured. Of 10,000 locks that are taken within a minute the looks are a thousandth of the operations. */
const LOOKS_MAX = 16
const PERIOD_MS = 60_000

export class MarkerLooks {
  #left = 0
  #periodEndsMs = Number.NEGATIVE_INFINITY

  /** Is there a look left? Then it is taken. */
  take(nowMs: number): boolean {
    if (nowMs >= this.#periodEndsMs) {
      this.#periodEndsMs = nowMs + PERIOD_MS
      this.#left = LOOKS_MAX
    }
    if (this.#left === 0) return false
    this.#left--
    return true
  }
}
