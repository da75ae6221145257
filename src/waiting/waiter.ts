/**
 * The mechanics of waiting: the watch, the timer, and what they tell. A file watch wakes waiters on the host of the release;
 * elsewhere they try again and again. What to do is decided in `decision.ts`.
 */

import { clearTimeout, monotonicMs, setTimeout } from '../drivers/clock.js'
import { assert } from '../assert.js'
import type { NameWatch } from '../drivers/name-watch.js'
import type { WaitStyle } from '../lock-type/lock-type.js'
import { parseEntry } from '../protocol/names.js'
import { decide, type Known, type Occasion } from './decision.js'
import { Backoff, Spread } from './pace.js'
import type { Turn } from './turn.js'

/** Waits between the tries of one acquisition. Listens from the moment it is made, so that no release is missed. */
export class Waiter {
  readonly #watch: NameWatch | null
  readonly #backoff: Backoff
  readonly #spread = new Spread()
  readonly #isLocal: boolean
  readonly #turn: Turn
  readonly #known: Known = { sinceMs: 0, intervalMs: 0, release: null, leaveMs: 0 }
  /** The generation that was released last, `null` where that is not known. */
  #released: bigint | null = null
  #timer: NodeJS.Timeout | undefined
  /** Ends the wait that is under way; `null` while its acquisition tries. */
  #resume: ((occasion: Occasion) => void) | null = null

  constructor(style: WaitStyle, turn: Turn) {
    this.#isLocal = style.isLocal
    this.#turn = turn
    this.#watch = style.watchPath === null ? null : turn.listen(style.watchPath, (name) => this.#onName(name))
    this.#backoff = new Backoff(style, this.#watch !== null)
  }

  /** Resolves when it is worth trying again. */
  again(): Promise<Occasion> {
    return this.#wait(this.#backoff.nextMs())
  }

  /** Leaves the lock to others for so long, or until one of them releases it. */
  standBack(forMs: number): Promise<Occasion> {
    this.#turn.standsBack(monotonicMs())
    return this.#wait(forMs)
  }

  #wait(intervalMs: number): Promise<Occasion> {
    assert(this.#resume === null, 'one wait at a time', 'a second one')
    this.#waitAnew(intervalMs)
    return new Promise((resolve) => {
      this.#resume = resolve
      this.#act(monotonicMs())
    })
  }

  #waitAnew(intervalMs: number): void {
    this.#known.sinceMs = monotonicMs()
    this.#known.intervalMs = intervalMs
  }

  /** Does what is to be done by what is known now. */
  #act(nowMs: number): void {
    clearTimeout(this.#timer)
    this.#known.leaveMs = this.#turn.leaveMs(nowMs)
    const decision = decide(this.#known, nowMs)
    if (decision.kind === 'try') return this.#end(decision.occasion)
    const { untilMs, standsBack } = decision
    if (standsBack) this.#turn.standsBack(nowMs)
    // A timer may fire a fraction of a millisecond early: then it is time all the same.
    this.#timer = setTimeout(() => this.#act(Math.max(untilMs, monotonicMs())), untilMs - nowMs)
  }

  #end(occasion: Occasion): void {
    const resume = this.#resume
    this.#resume = null
    this.#known.release = null
    resume?.(occasion)
  }

  #onName(name: string | null): void {
    if (name === null) return this.#onRelease(null) // it may have been one
    const entry = parseEntry(name)
    if (entry === null) return
    if (entry.isFree) this.#onRelease(entry.generation)
    else if (this.#isLocal && this.#released !== null && entry.generation > this.#released) this.#onTaken()
  }

  #onRelease(generation: bigint | null): void {
    // A name is told when it appears, and again when the next holder removes it.
    if (generation !== null && generation === this.#released) return
    this.#released = generation
    const nowMs = monotonicMs()
    // A watch sees the releases of this node alone. Waiters of other nodes get their chance only if ours do not jump in.
    if (this.#turn.leaveMs(nowMs) > 0) return this.#turn.standsBack(nowMs)
    const isAsleep = this.#resume !== null
    // After a try that was under way at the release there is nothing to spread: only those that slept are woken together.
    this.#known.release = { seenMs: nowMs, spreadMs: isAsleep && this.#isLocal ? this.#spread.nextMs() : 0 }
    if (isAsleep) this.#act(nowMs)
  }

  /** Another process was faster: trying now would be in vain. */
  #onTaken(): void {
    if (this.#known.release === null) return
    this.#known.release = null
    if (this.#resume === null) return
    this.#waitAnew(this.#backoff.nextMs())
    this.#act(monotonicMs())
  }

  /** Ends the wait at once, and the watch. */
  close(): void {
    this.#watch?.close()
    clearTimeout(this.#timer)
    this.#end('late')
  }
}
