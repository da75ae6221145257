/** A session in this thread: its lease, the locks that hang on it, and the watch that tells them when it is over. */

import type { Asker } from '../drivers/answer.js'
import { readClock } from '../drivers/clock.js'
import type { Mount, SessionListener } from '../mounts/mount.js'
import { SharedLease } from '../mounts/shared-lease.js'
import type { LostReason } from '../errors.js'
import { leaseMs } from '../protocol/lease.js'
import { waitingNames } from '../protocol/record.js'
import type { Session } from '../protocol/session.js'
import type { Surroundings } from '../protocol/site.js'

/** At the latest so long after a deadline that a suspended machine slept through, the signals fire. */
const WATCH_MS_MAX = 1000

export interface LeaseHolder {
  lose(reason: LostReason): void
}

export interface LinkSessionEvents {
  onRefreshFailed(code: string): void
  /** Some of the held locks may be gone: look at each. */
  onNamesMissing(session: LinkSession): void
  /** Once for each refresh-rate: where link counts do not tell, look at one of them. */
  onTimeToLook(session: LinkSession): void
}

export class LinkSession implements SessionListener, Asker {
  readonly session: Session
  readonly mount: Mount
  readonly #lease = new SharedLease()
  readonly #holders = new Set<LeaseHolder>()
  readonly #events: LinkSessionEvents
  #timer: NodeJS.Timeout | undefined
  #takesNoMore = false
  #nextLookMs: number

  constructor(session: Session, mount: Mount, { coherent, extraSilenceMs, me }: Surroundings, events: LinkSessionEvents) {
    this.session = session
    this.mount = mount
    this.#events = events
    this.#nextLookMs = session.lastBeat.ownMs + session.record.refreshRateMs
    this.#lease.extendTo(session.lastBeat.ownMs + leaseMs(session.record.timeoutIntervalMs))
    mount.watch(session, this.#lease, { coherent, extraSilenceMs, me }, this)
  }

  get id(): string {
    return this.session.record.id
  }

  get holders(): ReadonlySet<LeaseHolder> {
    return this.#holders
  }

  /** May new locks be taken with it? */
  get isUsable(): boolean {
    return !this.#takesNoMore && this.remainingMs() > 0
  }

  /** It holds nothing, and never will. */
  get isOver(): boolean {
    return this.#takesNoMore && this.#holders.size === 0
  }

  remainingMs(): number {
    return this.#lease.remainingMs()
  }

  leaseRemainingMs(session: string): number {
    return session === this.id ? this.remainingMs() : 0
  }

  /** What is done for a session that holds something is seen through to the end. */
  wanted(): boolean {
    return true
  }

  /** Tells others, from the next heartbeat on, for which locks we wait. */
  announceWaiting(names: Iterable<string>): void {
    if (this.isUsable) this.mount.announceWaiting(this.id, waitingNames(names))
  }

  /** Another one each time, until all have been named. */
  nextInTurn(): LeaseHolder | undefined {
    const [next] = this.#holders
    if (next === undefined) return undefined
    this.#holders.delete(next)
    this.#holders.add(next)
    return next
  }

  /** A look at each lock found nothing missing. */
  nothingWasMissing(): void {
    this.#lease.doNotCountLinks()
  }

  add(holder: LeaseHolder): void {
    this.#holders.add(holder)
    this.#lease.addHeld(1)
    if (this.#timer === undefined) this.#arm()
  }

  remove(holder: LeaseHolder): void {
    if (!this.#holders.delete(holder)) return
    this.#lease.addHeld(-1)
    this.#endIfSpent()
  }

  /** It takes no new locks, and ends with the last that it holds. */
  spend(): void {
    this.#takesNoMore = true
    this.#endIfSpent()
  }

  /** The lease is over, for good: tells everybody. */
  expire(reason: LostReason): void {
    this.#lease.end()
    this.#takesNoMore = true
    clearTimeout(this.#timer)
    for (const holder of [...this.#holders]) {
      this.remove(holder)
      holder.lose(reason)
    }
  }

  onRetired(): void {
    this.expire('retired')
  }

  onRefreshFailed(code: string): void {
    this.#events.onRefreshFailed(code)
  }

  onNamesMissing(): void {
    this.#events.onNamesMissing(this)
  }

  #endIfSpent(): void {
    if (this.isOver) this.mount.end(this.id)
  }

  /** One timer for all locks of the session, and none while it holds nothing. */
  #arm(): void {
    this.#timer = setTimeout(() => this.#check(), Math.min(this.remainingMs(), WATCH_MS_MAX))
    this.#timer.unref()
  }

  #check(): void {
    this.#timer = undefined
    if (this.#holders.size === 0) return
    if (this.remainingMs() <= 0) return this.expire('lease-expired')
    this.#arm()
    const { ownMs } = readClock()
    if (ownMs < this.#nextLookMs) return
    this.#nextLookMs = ownMs + this.session.record.refreshRateMs
    if (this.#lease.linksAreNotCounted) this.#events.onTimeToLook(this)
  }
}
