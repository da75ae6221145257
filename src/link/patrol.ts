/** The patrol of a directory: every timeout-interval what the dead left there is cleaned up, as long as a session is there. */

import { type Asker, whileNot } from '../drivers/answer.js'
import { clearTimeout, setTimeout } from '../drivers/clock.js'
import type { Mount } from '../mounts/mount.js'
import type { Protocol } from '../protocol/operations.js'
import { patrol } from '../protocol/patrol.js'
import type { Observations, Surroundings } from '../protocol/site.js'

/** What a patrol needs of its directory. */
export interface Patrolled {
  readonly path: string
  readonly surroundings: Surroundings
  /** `null`: there is no session, and no patrol is needed. */
  readonly patrolledBy: Mount | null
  ownSessionFiles(): string[]
  endIdle(): void
  runAsynchronously<Result>(protocol: Protocol<Result>, asker: Asker): Promise<Result>
}

export class Patrol {
  readonly #patrolled: Patrolled
  readonly #intervalMs: number
  readonly #onReaped: (names: string[]) => void
  /** What is remembered of unfinished lock directories from one round to the next. */
  readonly #leftovers: Observations = new Map()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(patrolled: Patrolled, intervalMs: number, onReaped: (names: string[]) => void) {
    this.#patrolled = patrolled
    this.#intervalMs = intervalMs
    this.#onReaped = onReaped
  }

  /** Makes sure that it goes its rounds, the first one at once. */
  start(): void {
    if (this.#timer === undefined) this.#schedule(0)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => this.#begin(), delayMs)
    this.#timer.unref()
  }

  #begin(): void {
    this.#timer = undefined
    this.#patrolled.endIdle()
    const mount = this.#patrolled.patrolledBy
    if (this.#isClosed || mount === null) return
    mount.inBackground(async () => {
      try {
        await this.#goRound()
      } finally {
        if (this.#timer === undefined) this.#schedule(this.#intervalMs)
      }
    })
  }

  async #goRound(): Promise<void> {
    if (this.#isClosed) return // while it stood in line
    const { path, surroundings } = this.#patrolled
    const round = patrol(path, this.#patrolled.ownSessionFiles(), surroundings, this.#leftovers)
    const { reaped } = await this.#patrolled.runAsynchronously(
      round,
      whileNot(() => this.#isClosed),
    )
    if (reaped.length > 0) this.#onReaped(reaped)
  }
}
