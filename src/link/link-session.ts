/** A session in this thread: its lease, the locks that hang on it, and the watch that tells them when it is over. */

import { clearTimeout, readClock, setTimeout } from '../drivers/clock.js'
import { assert } from '../assert.js'
import type { Asker } from '../drivers/answer.js'
import type { DirectorySeed } from '../mounts/heartbeat-messages.js'
import type { Mount, SessionListener } from '../mounts/mount.js'
import { SharedLease } from '../mounts/shared-lease.js'
import type { LostReason } from '../errors.js'
import { leaseMs } from '../protocol/lease.js'
import type { Session } from '../protocol/session.js'

/**
 * At the latest so long after a deadline that a suspended machine slept through, the signals fire. Chosen:
 * `remainingMs` tells at once, and a timer for each lease costs little.
 */
const WATCH_MS_MAX = 1000

/** A lock that hangs on the lease of a session. */
export interface LeaseHolder {
  lose(reason: LostReason): void
  /** Looks whether its entry is still there. Why it is lost, or `null` where it is not or cannot be told. */
  look(): Promise<LostReason | null>
}

export class LinkSession implements SessionListener, Asker {
  /** Its file, as the protocol knows it. */
  readonly file: Session
  readonly mount: Mount
  readonly #lease = new SharedLease()
  readonly #holders = new Set<LeaseHolder>()
  readonly #onRefreshFailed: (code: string) => void
  #timer: NodeJS.Timeout | undefined
  #takesNoMore = false
  #isLooking = false
  #nextLookMs: number
  /** By how many locks and attempts it is used. */
  #uses = 0
  #idleSinceMs: number
  #endedBecause: LostReason | null = null

  constructor(file: Session, mount: Mount, directory: DirectorySeed, onRefreshFailed: (code: string) => void) {
    this.file = file
    this.mount = mount
    this.#onRefreshFailed = onRefreshFailed
    this.#nextLookMs = file.lastBeat.ownMs + file.record.refreshRateMs
    this.#idleSinceMs = file.lastBeat.ownMs
    this.#lease.extendTo(file.lastBeat.ownMs + leaseMs(file.record.timeoutIntervalMs))
    mount.watch(file, this.#lease, directory, this)
  }

  get id(): string {
    return this.file.record.id
  }

  get leaseMs(): number {
    return leaseMs(this.file.record.timeoutIntervalMs)
  }

  /** May new locks be taken with it? Of a session that nothing used, the heartbeats may have had to wait for others. */
  get isUsable(): boolean {
    const enoughMs = this.isInUse ? 0 : (this.leaseMs - this.file.record.refreshRateMs) / 2
    return !this.#takesNoMore && this.remainingMs() > enoughMs
  }

  get isInUse(): boolean {
    return this.#uses > 0
  }

  /** How long no lock and no attempt has used it, in milliseconds. */
  idleMs(): number {
    return this.isInUse ? 0 : readClock().ownMs - this.#idleSinceMs
  }

  /** Nothing uses it, and nothing will. */
  get isOver(): boolean {
    return this.#takesNoMore && !this.isInUse
  }

  /** An attempt, or a lock, uses it from now on. */
  enter(): void {
    if (this.#uses++ === 0) this.mount.budget.take(this.leaseMs)
  }

  leave(): void {
    if (--this.#uses > 0) return
    assert(this.#uses === 0, 'as many uses of a session ended as began', this.#uses)
    this.mount.budget.giveBack(this.leaseMs)
    this.#idleSinceMs = readClock().ownMs
    this.#endIfOver()
  }

  remainingMs(): number {
    return this.#lease.remainingMs()
  }

  leaseRemainingMs(sessionId: string): number {
    return sessionId === this.id ? this.remainingMs() : 0
  }

  /** What is done for a session that holds something is seen through to the end. */
  wanted(): boolean {
    return true
  }

  /** The number of names of the session file says nothing about the locks: they are looked at in turn. */
  doNotCountLinks(): void {
    this.#lease.doNotCountLinks()
  }

  add(holder: LeaseHolder): void {
    this.enter()
    this.#holders.add(holder)
    this.#lease.addHeld(1)
    if (this.#timer === undefined) this.#arm()
  }

  remove(holder: LeaseHolder): void {
    if (!this.#holders.delete(holder)) return
    this.#lease.addHeld(-1)
    this.leave()
  }

  /** It takes no new locks, and ends with the last that it holds. */
  spend(): void {
    this.#takesNoMore = true
    this.#endIfOver()
  }

  /** Why what it held may have been lost by now, also what was being released all the while; `null`: it was not. */
  lostReason(): LostReason | null {
    if (this.#endedBecause === null && this.#lease.endMs <= readClock().ownMs) this.expire('lease-expired')
    return this.#endedBecause === 'closed' ? null : this.#endedBecause
  }

  /** Its locker was closed: what it holds is released, unless its lease was over before that. */
  close(): void {
    if (this.lostReason() === null) this.expire('closed')
  }

  /** The lease is over, for good: tells the holds. */
  expire(reason: LostReason): void {
    this.#endedBecause ??= reason
    this.#lease.end()
    this.#takesNoMore = true
    clearTimeout(this.#timer)
    for (const holder of [...this.#holders]) {
      this.remove(holder)
      holder.lose(reason)
    }
  }

  onRetired(reason: 'retired' | 'heartbeat-ended'): void {
    this.expire(reason)
  }

  onRefreshFailed(code: string): void {
    this.#onRefreshFailed(code)
  }

  onNamesMissing(): void {
    void this.#lookAtAll()
  }

  onUnsettled(): void {
    this.spend()
  }

  /** Where nothing is missing after all, this file system does not count links. */
  async #lookAtAll(): Promise<void> {
    if (this.#isLooking) return // a look at thousands of locks may take longer than the next heartbeat
    this.#isLooking = true
    let isComplete = true
    for (const holder of [...this.#holders]) if (await this.#isGone(holder)) isComplete = false
    this.#isLooking = false
    if (isComplete) this.doNotCountLinks()
  }

  /**
   * A heartbeat costs the same for thousands of locks as for one. The price: an administrator that takes one of n is noticed
   * after up to n heartbeats. (The takeover of a dead holder's lock need not be noticed: the lease tells.)
   */
  #lookAtNext(): void {
    const [next] = this.#holders
    if (next === undefined) return
    this.#holders.delete(next)
    this.#holders.add(next)
    void this.#isGone(next)
  }

  /** Looks at one lock, and tells its holder if it is gone. */
  async #isGone(holder: LeaseHolder): Promise<boolean> {
    if (!this.#holders.has(holder)) return false
    const reason = await holder.look()
    if (reason !== null) holder.lose(reason)
    return reason !== null
  }

  #endIfOver(): void {
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
    this.#nextLookMs = ownMs + this.file.record.refreshRateMs
    if (this.#lease.linksAreNotCounted) this.#lookAtNext()
  }
}
