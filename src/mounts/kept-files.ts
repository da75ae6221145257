/** The files that a heartbeat thread keeps, beside its sessions. */

import { readClock } from '../drivers/clock.js'
import { toTheEnd } from '../drivers/answer.js'
import { runProtocolBlocking } from '../drivers/run.js'
import { refresh, type RefreshOutcome } from '../protocol/kept-file.js'
import { ask } from '../protocol/operations.js'
import type { KeepOrder } from './heartbeat-messages.js'
import { SharedKeeping } from './shared-keeping.js'

/** A failed refresh is tried again this many times per period. */
const RETRIES_PER_PERIOD = 4

interface Kept {
  order: KeepOrder
  shared: SharedKeeping
  dueMs: number
}

export class KeptFiles {
  readonly #kept = new Map<string, Kept>()
  readonly #onLost: (id: string, reason: 'reaped' | 'unlocked') => void

  constructor(onLost: (id: string, reason: 'reaped' | 'unlocked') => void) {
    this.#onLost = onLost
  }

  keep(order: KeepOrder): void {
    this.#kept.set(order.id, { order, shared: new SharedKeeping(order.shared), dueMs: readClock().ownMs + order.everyMs })
  }

  forget(id: string): void {
    this.#kept.delete(id)
  }

  /** `Infinity`: never. */
  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY
    for (const kept of this.#kept.values()) dueMs = Math.min(dueMs, kept.dueMs)
    return dueMs
  }

  refreshDue(): void {
    for (const kept of [...this.#kept.values()]) if (kept.dueMs <= readClock().ownMs) this.#refresh(kept)
  }

  /** The process ends. */
  release(): void {
    for (const { order, shared } of this.#kept.values())
      if (shared.beginRefresh()) runProtocolBlocking(ask.overwrite(order.file.file, order.releasedText, 0))
    this.#kept.clear()
  }

  #refresh(kept: Kept): void {
    const { order, shared } = kept
    if (!shared.beginRefresh()) return this.forget(order.id)
    const beganMs = readClock().ownMs
    let outcome: RefreshOutcome
    try {
      outcome = runProtocolBlocking(refresh(order.file), toTheEnd)
    } finally {
      shared.endRefresh()
    }
    switch (outcome.kind) {
      case 'kept':
        shared.extendTo(beganMs + order.lastsMs)
        kept.dueMs = beganMs + order.everyMs
        return
      case 'failed':
        kept.dueMs = beganMs + order.everyMs / RETRIES_PER_PERIOD
        return
      default:
        this.forget(order.id)
        this.#onLost(order.id, outcome.kind)
    }
  }
}
