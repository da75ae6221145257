/** A machine: its clocks, its mount, and whether it stands still. */

import type { Client } from './client-cache.js'

/** All true times in a simulation are milliseconds since its begin; wall clocks show dates. */
export const EPOCH_MS = 1_700_000_000_000

export class Node {
  readonly name: string
  readonly client: Client
  bootId: string
  /** How fast the own clock runs. */
  readonly pace: number
  wallOffsetMs: number
  /** Until when its mount does not answer; the processes go on. */
  hungUntilMs = 0
  /** A machine that stands still does nothing and its clocks do not go on. */
  frozenUntilMs = 0
  #frozenSinceMs = 0
  #frozenBeforeMs = 0
  readonly #nowMs: () => number

  constructor(name: string, client: Client, pace: number, wallOffsetMs: number, nowMs: () => number) {
    this.name = name
    this.client = client
    this.pace = pace
    this.wallOffsetMs = wallOffsetMs
    this.bootId = `boot-${name}-0`
    this.#nowMs = nowMs
  }

  freeze(durationMs: number): void {
    const nowMs = this.#nowMs()
    if (nowMs < this.frozenUntilMs) return
    this.#frozenBeforeMs = this.frozenMs
    this.#frozenSinceMs = nowMs
    this.frozenUntilMs = nowMs + durationMs
  }

  /** How long it has stood still until now, in all. */
  get frozenMs(): number {
    return this.#frozenBeforeMs + Math.max(0, Math.min(this.#nowMs(), this.frozenUntilMs) - this.#frozenSinceMs)
  }

  get ownMs(): number {
    return 1000 + (this.#nowMs() - this.frozenMs) * this.pace
  }

  get wallMs(): number {
    return EPOCH_MS + this.ownMs + this.wallOffsetMs
  }
}
