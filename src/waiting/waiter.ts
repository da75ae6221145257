/** How a waiter learns that it is worth trying again: woken by a file watch on the same host, by polling elsewhere. */

import type { WaitStyle } from '../lock-type/lock-type.js'
import type { NameWatch } from '../drivers/name-watch.js'
import { parseEntry } from '../protocol/names.js'
import type { Turn } from './turns.js'

/** First and last interval between two tries, in milliseconds, and by how much it grows. */
interface Pace {
  firstMs: number
  lastMs: number
  growth: number
}

/** Woken by the watch; polling only finds holders that died. */
const WATCHED: Pace = { firstMs: 250, lastMs: 250, growth: 1 }
/** Without a server asking is cheap; who has waited longer can wait a little longer: about a tenth of it. */
const LOCAL: Pace = { firstMs: 1, lastMs: 40, growth: 1.1 }
/** Each try is several round trips. It does not get much slower: who has waited longer must not ask more rarely than a newcomer. */
export const NETWORK_POLL_MS_MAX = 300
const NETWORK: Pace = { firstMs: 100, lastMs: NETWORK_POLL_MS_MAX, growth: 1.5 }
/** So that waiters do not march in step. */
const JITTER = 0.2

/** The intervals at which to try again. */
export class Backoff {
  readonly #pace: Pace
  #nextMs: number

  constructor({ isLocal }: Pick<WaitStyle, 'isLocal'>, isWatched: boolean) {
    this.#pace = isLocal ? (isWatched ? WATCHED : LOCAL) : NETWORK
    this.#nextMs = this.#pace.firstMs
  }

  nextMs(): number {
    const delayMs = this.#nextMs * (1 - JITTER + 2 * JITTER * Math.random())
    this.#nextMs = Math.min(this.#pace.lastMs, this.#nextMs * this.#pace.growth)
    return delayMs
  }
}

/** How far apart the waiters of one host try, at the most. */
export const SPREAD_MS_MAX = 8
const SPREAD_MS_MIN = 2

/** A release wakes all waiters of the host at once. Who has tried in vain leaves the next ones some time, so that they do not all try together. */
class Spread {
  #spreadMs = 0

  nextMs(): number {
    const delayMs = Math.floor(Math.random() * this.#spreadMs)
    this.#spreadMs = Math.min(SPREAD_MS_MAX, Math.max(SPREAD_MS_MIN, 2 * this.#spreadMs))
    return delayMs
  }
}

/** Waits between the tries of one acquisition. Listens from the moment it is made, so that no release is missed. */
export class Waiter {
  readonly #watch: NameWatch | null
  readonly #backoff: Backoff
  readonly #isLocal: boolean
  readonly #spread = new Spread()
  readonly #turn: Turn
  /** The generation that was released last, `null` where that is not known. */
  #released: bigint | null = null
  /** It was released, and nobody was seen to take it. */
  #isFree = false
  #timer: NodeJS.Timeout | undefined
  #tryNow: ((why: 'released' | 'late') => void) | null = null

  constructor(style: WaitStyle, turn: Turn) {
    this.#isLocal = style.isLocal
    this.#turn = turn
    this.#watch = style.watchPath === null ? null : turn.listen(style.watchPath, (name) => this.#onName(name))
    this.#backoff = new Backoff(style, this.#watch !== null)
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
    // A watch sees the releases of this node alone. Other nodes' waiters get their chance only if we do not jump in.
    if (!this.#isLocal && this.#leaveMs() > 0) return
    this.#isFree = true
    if (this.#tryNow !== null) this.#tryIn(this.#isLocal ? this.#spread.nextMs() : 0)
  }

  /** Somebody was faster: trying now would be in vain. */
  #onTaken(): void {
    if (!this.#isFree) return
    this.#isFree = false
    if (this.#tryNow !== null) this.#tryIn(this.#backoff.nextMs())
  }

  #leaveMs(): number {
    return this.#turn.leaveMs(performance.now())
  }

  /** Resolves when it is worth trying again: it was released, or it is late. */
  again(lateMs = this.#backoff.nextMs()): Promise<'released' | 'late'> {
    return new Promise((resolve) => {
      this.#tryNow = resolve
      this.#tryIn(this.#isFree ? 0 : lateMs)
    })
  }

  #tryIn(delayMs: number): void {
    clearTimeout(this.#timer)
    if (delayMs === 0) return this.#try()
    this.#timer = setTimeout(() => this.#tryIn(this.#leaveMs()), delayMs)
  }

  #try(): void {
    const [tryNow, why] = [this.#tryNow, this.#isFree ? 'released' : 'late'] as const
    this.#tryNow = null
    this.#isFree = false
    tryNow?.(why)
  }

  /** Ends the wait at once, and the watch. */
  close(): void {
    this.#watch?.close()
    clearTimeout(this.#timer)
    this.#try()
  }
}

const never = new Int32Array(new SharedArrayBuffer(4))

/** Blocks the thread. */
export function sleepBlocking(delayMs: number): void {
  Atomics.wait(never, 0, 0, Math.max(0, delayMs))
}
