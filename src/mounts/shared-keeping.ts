/** What both threads know of a file that is kept: until when it is, in memory that both write. */

import { readClock } from '../drivers/clock.js'

const BYTES = 16
/** No thread works on the file; the thread refreshes it; its holder has taken it back, for good. */
const RESTS = 0
const IS_REFRESHED = 1
const OVER = 2

export class SharedKeeping {
  readonly buffer: SharedArrayBuffer
  readonly #endUs: BigInt64Array
  readonly #state: Int32Array

  constructor(buffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer
    this.#endUs = new BigInt64Array(buffer, 0, 1)
    this.#state = new Int32Array(buffer, 8, 1)
  }

  /** Until when, on this machine's own clock, no process can take it for abandoned. */
  extendTo(ownMs: number): void {
    Atomics.store(this.#endUs, 0, BigInt(Math.floor(ownMs * 1000)))
  }

  remainingMs(): number {
    return Math.max(0, Number(Atomics.load(this.#endUs, 0)) / 1000 - readClock().ownMs)
  }

  /** For the thread: `false` once its holder has taken it back. */
  beginRefresh(): boolean {
    return Atomics.compareExchange(this.#state, 0, RESTS, IS_REFRESHED) === RESTS
  }

  endRefresh(): void {
    Atomics.compareExchange(this.#state, 0, IS_REFRESHED, RESTS)
  }

  /** For the holder: no refresh begins from now on. `false`: one is under way, and it has to ask again. */
  takeBack(): boolean {
    const before = Atomics.compareExchange(this.#state, 0, RESTS, OVER)
    return before !== IS_REFRESHED
  }
}
