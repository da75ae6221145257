/**
 * Fairness between nodes. On a network mount the processes of the node that has a lock are the first to know that it is free
 * again, and would keep it among themselves for ever; those who wait on other nodes learn of it by asking now and then. So
 * nodes take turns: when another node was seen to hold it, and now this one has had it for a while, all its processes stand
 * back for as long as the others need to ask. If nobody comes then, a few times, nobody is believed to wait any more, until
 * another node is seen again.
 */

import type { Turn } from './turns.js'
import { NETWORK_POLL_MS_MAX } from './waiting.js'

/** How long the processes of a node may go on taking a lock that others wait for. */
const TURN_MS = 250
/** All who wait have asked once by then. */
const STAND_BACK_MS = 1.5 * NETWORK_POLL_MS_MAX

/** Who asks slowly, on a loaded node, may miss one. */
const CHANCES = 3
/** Somebody may wait on a node that was never seen to hold it: he gets a chance so often. */
const CHANCE_INTERVAL_MS = 5000

/** What one process knows of its node's turn at one lock. */
export class NodeTurn implements Turn {
  /** Since when its node has had the lock again and again; `null`: another one has it. */
  #sinceMs: number | null = null
  #releasedMs = Number.NEGATIVE_INFINITY
  /** When this process began to stand back in this turn. */
  #stoodBackMs: number | null = null
  /** How often we still stand back for another node before nobody is believed to wait there. */
  #chances = CHANCES
  /** When this process last stood back in vain. */
  #inVainMs = Number.NEGATIVE_INFINITY
  /** Somebody was seen waiting: on this node or another. */
  #isAwaited = false

  /** Another node holds it. */
  sawFar(): void {
    this.#sinceMs = null
    this.#chances = CHANCES
  }

  /** One of this node: other nodes are seen when they hold it. */
  sawOther(): void {}

  acquired(nowMs: number, isWaitedFor: boolean): void {
    this.#goOn(nowMs, nowMs - this.#releasedMs >= STAND_BACK_MS)
    this.#isAwaited ||= isWaitedFor
  }

  /** By this process, or by another one of this node: which may well have had it after another node had, while we stood back. */
  released(nowMs: number): void {
    this.#goOn(nowMs, this.#stoodBackMs !== null && nowMs - this.#stoodBackMs >= 2 * STAND_BACK_MS)
    this.#releasedMs = nowMs
  }

  /** `nobodyCame`: if we stood back, it was in vain. */
  #goOn(nowMs: number, nobodyCame: boolean): void {
    const wasInVain = this.#stoodBackMs !== null && nobodyCame
    if (this.#sinceMs !== null && !wasInVain) return
    if (this.#sinceMs !== null) {
      this.#chances = Math.max(0, this.#chances - 1)
      this.#inVainMs = nowMs
      this.#isAwaited = false
    }
    this.#sinceMs = nowMs
    this.#stoodBackMs = null
  }

  /** How long to leave the lock to others, 0 most of the time: for a process that comes back to it. */
  standBackMs(nowMs: number): number {
    return this.#isAwaited ? this.#restMs(nowMs) : this.leaveMs(nowMs)
  }

  /** The same for a process that waits already: it stands back for other nodes only. */
  leaveMs(nowMs: number): number {
    const isDue = this.#chances > 0 || nowMs - this.#inVainMs >= CHANCE_INTERVAL_MS
    return isDue ? this.#restMs(nowMs) : 0
  }

  #restMs(nowMs: number): number {
    const restMs = this.#releasedMs + STAND_BACK_MS - nowMs
    if (restMs <= 0 || nowMs - (this.#sinceMs ?? nowMs) < TURN_MS) return 0
    this.#stoodBackMs ??= nowMs
    return restMs
  }
}
