/** How a waiter learns that it is worth trying again: woken by a file watch on the same host, by polling elsewhere. */

import { type FSWatcher, watch } from 'node:fs'
import type { WaitStyle } from './hold.js'
import type { Turn } from './turns.js'

/** First and last interval between two tries, in milliseconds, and by how much it grows. */
interface Pace {
  firstMs: number
  lastMs: number
  growth: number
}

/** Woken by the watch; polling only finds holders that died. */
const WATCHED: Pace = { firstMs: 250, lastMs: 250, growth: 1 }
/** Without a server asking is cheap. */
const LOCAL: Pace = { firstMs: 1, lastMs: 10, growth: 1.5 }
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

/** Waits between the tries of one acquisition. Listens from the moment it is made, so that no release is missed. */
export class Waiter {
  readonly #watcher: FSWatcher | null
  readonly #backoff: Backoff
  #turn: Turn | null
  #released = false
  #wake: (() => void) | null = null

  /** `turn`: on a network mount, to let other nodes have theirs. */
  constructor(style: WaitStyle, turn: Turn | null = null) {
    this.#turn = turn
    this.#watcher = style.watchPath === null ? null : this.#watch(style.watchPath, style.isRelease)
    this.#backoff = new Backoff(style, this.#watcher !== null)
  }

  #watch(path: string, isRelease: (name: string) => boolean): FSWatcher | null {
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => {
        if (name !== null && !isRelease(name)) return
        this.#turn?.released(performance.now())
        // A watch sees the releases of this node alone. Other nodes' waiters get their chance only if we do not jump in.
        if (this.#leaveMs() > 0) return
        this.#released = true
        this.#wake?.()
      })
      // A watch that breaks leaves the polling.
      watcher.on('error', () => watcher.close())
      return watcher
    } catch {
      return null // no watches left, or none here: polling will do
    }
  }

  #leaveMs(): number {
    return this.#turn?.leaveMs(performance.now()) ?? 0
  }

  /** Resolves when it is worth trying again. */
  async again(): Promise<void> {
    let delayMs = this.#released ? 0 : this.#backoff.nextMs()
    while (delayMs > 0) {
      await this.#pause(delayMs)
      delayMs = this.#leaveMs()
    }
    this.#released = false
  }

  /** Ends early with a release. */
  async #pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }

  /** Ends the wait at once, and the watch. */
  close(): void {
    this.#watcher?.close()
    this.#turn = null
    this.#wake?.()
  }
}

const never = new Int32Array(new SharedArrayBuffer(4))

/** Blocks the thread. */
export function sleepBlocking(delayMs: number): void {
  Atomics.wait(never, 0, 0, Math.max(0, delayMs))
}
