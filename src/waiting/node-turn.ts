/**
 * Fairness between nodes. On a network mount the processes of the node that has a lock are the first to know that it is free
 * again, and would keep it among themselves for ever; waiters on other nodes learn of it by asking now and then. So nodes
 * take turns: a node that has had it for a while stands back with all its processes, for as long as the others need to ask.
 * When none comes, again and again, its turns get longer.
 *
 * No message tells a node that another one had the lock while it stood back. It shows in the generations: a file watch tells
 * each process which ones the processes of its node had, and those that are missing were had elsewhere. Where a lock has no
 * generations, only holders that were seen count.
 *
 * With the figures below two nodes share a lock evenly and wait two seconds at the most (1414 and 1345 acquisitions of a hard
 * link on NFSv3: docs/lab.md, "excludes, in the order of the tokens"); each of them alone was not measured.
 */

import { monotonicMs } from '../drivers/clock.js'
import { assert } from '../assert.js'
import { KeptWatch, type NameWatch } from '../drivers/name-watch.js'
import { parseEntry } from '../protocol/names.js'
import { NETWORK_POLL_MS_MAX } from './pace.js'
import type { Acquired, Turn } from './turn.js'

/**
 * How long the processes of a node may go on taking a lock: with other nodes about, before one was seen, and when none
 * was for long.
 */
const TURN_MS_MIN = 250
const TURN_MS_FIRST = 500
const TURN_MS_MAX = 5000
/** Every waiter has asked by then. */
const STAND_BACK_MS = 1.5 * NETWORK_POLL_MS_MAX
/** A waiter that asks slowly, on a loaded node, may miss a chance. */
const CHANCES = 1
/** A node that holds a lock without generations for so long has a turn, and did not just slip in. */
const SLIP_MS = TURN_MS_MIN / 2

/** What one process knows of its node's turn at one lock. */
export class NodeTurn implements Turn {
  /** Since when its node takes the lock again and again; `null`: it never did. */
  #sinceMs: number | null = null
  #turnMs = TURN_MS_FIRST
  /** How often it had it in this turn, and how often others had it. */
  #near = 0
  #far = 0
  /** The last generation that its node had, and the last that it released. */
  #last: bigint | null = null
  #freed: bigint | null = null
  /** When its node last had it, as far as is known, and when it last released it. */
  #nearMs = Number.NEGATIVE_INFINITY
  #releasedMs = Number.NEGATIVE_INFINITY
  /** Another node was seen to hold it since then. */
  #sawFar = false
  /** When this process began to stand back in this turn. */
  #stoodBackMs: number | null = null
  #chances = CHANCES
  #onName: ((name: string | null) => void) | null = null
  readonly #watch = new KeptWatch((name) => this.#changed(name))

  saw(nowMs: number, isFar: boolean): void {
    if (isFar) {
      this.#sawFar = true
      this.#others()
    } else {
      if (this.#isTheirs(nowMs)) this.#begin(nowMs)
      this.#isNear(nowMs)
    }
  }

  acquired(nowMs: number, { token, hadToWait }: Pick<Acquired, 'token' | 'hadToWait'>): void {
    if (hadToWait && this.#last === null) this.#others()
    if (token !== null && this.#last !== null && token < this.#last) this.#last = null // removed, and made again
    this.#had(token, nowMs)
  }

  /** There are other nodes. */
  #others(): void {
    this.#turnMs = TURN_MS_MIN
    this.#chances = CHANCES
  }

  #isNear(nowMs: number): void {
    this.#nearMs = nowMs
    this.#sawFar = false
  }

  #isTheirs(nowMs: number): boolean {
    return this.#sawFar && nowMs - this.#nearMs >= SLIP_MS
  }

  /** A process of this node got it. */
  #had(generation: bigint | null, nowMs: number): void {
    const missing = this.#missing(generation, nowMs)
    if (missing < 0) return // known already
    this.#isNear(nowMs)
    this.#last = generation
    if (missing > 0) this.#others()
    this.#far += missing
    // Other nodes that slip in now and then do not make our turn longer.
    const wasTheirTurn = this.#far > 0 && 3 * this.#far >= 2 * this.#near
    if (this.#sinceMs === null || wasTheirTurn) this.#begin(nowMs)
    else if (this.#stoodBackMs !== null && nowMs - this.#releasedMs >= STAND_BACK_MS) this.#beginAfterStandingBack(nowMs)
    this.#near++
  }

  /** How many generations before this one were had by others; less than 0: it was counted before. */
  #missing(generation: bigint | null, nowMs: number): number {
    if (generation === null) return this.#isTheirs(nowMs) ? this.#near + 1 : 0
    return this.#last === null ? 0 : Number(generation - this.#last) - 1
  }

  #begin(nowMs: number): void {
    this.#sinceMs = nowMs
    this.#near = 0
    this.#far = 0
    this.#stoodBackMs = null
  }

  #beginAfterStandingBack(nowMs: number): void {
    if (this.#far === 0 && --this.#chances < 0) this.#turnMs = Math.min(TURN_MS_MAX, 2 * this.#turnMs)
    this.#begin(nowMs)
  }

  /** By this process, or by another one of this node. */
  released(nowMs: number, token: bigint | null = this.#last): void {
    // Processes that never stand back keep this one away, and other nodes too.
    if (this.#stoodBackMs !== null && nowMs - this.#stoodBackMs >= 2 * STAND_BACK_MS) this.#beginAfterStandingBack(nowMs)
    this.#sinceMs ??= nowMs
    this.#releasedMs = nowMs
    this.#isNear(nowMs)
    this.#freed = token
  }

  leaveOnReturnMs(nowMs: number): number {
    return this.leaveMs(nowMs)
  }

  leaveMs(nowMs: number): number {
    const restMs = this.#releasedMs + STAND_BACK_MS - nowMs
    return restMs <= 0 || nowMs - (this.#sinceMs ?? nowMs) < this.#turnMs ? 0 : restMs
  }

  standsBack(nowMs: number): void {
    this.#stoodBackMs ??= nowMs
  }

  /** Tells releases by processes of this node, and nothing else. */
  listen(path: string, onName: (name: string | null) => void): NameWatch | null {
    assert(this.#onName === null, 'one listener at a time', path)
    if (!this.#watch.open(path)) return null
    this.#onName = onName
    return { close: () => this.#unlisten() }
  }

  #unlisten(): void {
    this.#onName = null
    this.#watch.closeWhenIdle()
  }

  #changed(name: string | null): void {
    if (name === null) return this.#onName?.(null)
    const entry = parseEntry(name)
    if (entry === null) return
    const { generation, isFree } = entry
    if (!isFree) return this.#had(generation, monotonicMs())
    // The release of another node shows when one of ours takes that name away, and ours once more.
    if (generation !== this.#last || generation === this.#freed) return
    this.released(monotonicMs())
    this.#onName?.(name)
  }

  close(): void {
    this.#watch.close()
  }
}
