/**
 * A session's lease, in memory that the heartbeat thread writes and the caller's thread reads: no message is under way
 * when a caller asks.
 */

import { assert } from '../assert.js'
import { readClock, waitOnWord } from '../drivers/clock.js'

const BYTES = 24
const ALIVE = 0
const OVER = 1

export class SharedLease {
  readonly buffer: SharedArrayBuffer
  readonly #endUs: BigInt64Array
  /** [0] alive or over; [1] how many locks are held; [2] whether link counts say nothing. */
  readonly #words: Int32Array

  constructor(buffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer
    this.#endUs = new BigInt64Array(buffer, 0, 1)
    this.#words = new Int32Array(buffer, 8, 3)
  }

  /** Until when, on this machine's own clock, the lease is certain. */
  extendTo(ownMs: number): void {
    Atomics.store(this.#endUs, 0, BigInt(Math.floor(ownMs * 1000)))
  }

  get endMs(): number {
    return Number(Atomics.load(this.#endUs, 0)) / 1000
  }

  /** 0 once it is over. */
  remainingMs(): number {
    return this.isOver ? 0 : Math.max(0, this.endMs - readClock().ownMs)
  }

  get isOver(): boolean {
    return Atomics.load(this.#words, 0) !== ALIVE
  }

  /** For good: nothing revives a lease. */
  end(): void {
    Atomics.store(this.#words, 0, OVER)
  }

  get held(): number {
    return Atomics.load(this.#words, 1)
  }

  /**
   * The link count of the session file was too small for what it holds, and nothing was missing: this file system does
   * not count.
   */
  get linksAreNotCounted(): boolean {
    return Atomics.load(this.#words, 2) === 1
  }

  doNotCountLinks(): void {
    Atomics.store(this.#words, 2, 1)
  }

  addHeld(count: number): void {
    const held = Atomics.add(this.#words, 1, count) + count
    assert(held >= 0, 'a session that holds no fewer than no locks', held)
  }
}

/** A flag on which one thread waits, blocked, until another one has set it. */
export class SharedFlag {
  readonly buffer: SharedArrayBuffer
  readonly #word: Int32Array

  constructor(buffer = new SharedArrayBuffer(4)) {
    this.buffer = buffer
    this.#word = new Int32Array(buffer)
  }

  set(): void {
    Atomics.store(this.#word, 0, 1)
    Atomics.notify(this.#word, 0)
  }

  get isSet(): boolean {
    return Atomics.load(this.#word, 0) === 1
  }

  /** `false` if it was not set in time. */
  waitBlocking(waitMs: number): boolean {
    if (waitMs > 0) waitOnWord(this.#word, 0, 0, waitMs)
    return this.isSet
  }
}
