/** How long somebody is ready to wait: a deadline and an `AbortSignal` in one. */

import { type Work, runAsynchronously } from '../drivers/work.js'
import { AbortError, LockTimeoutError } from '../errors.js'

const NO_ANSWER = 'the file system has not answered: does the mount hang?'

export class Patience {
  readonly #path: string
  readonly #waitMs: number
  readonly #startMs: number
  readonly #signal: AbortSignal | undefined
  readonly #firstTryMs: number
  #timer: NodeJS.Timeout | undefined
  #error: Error | undefined
  readonly #waiting = new Set<(error: Error) => void>()
  #timerIsForAll = false
  /** What we wait for, in words: for the message when it was in vain. */
  waitingFor = NO_ANSWER

  /** `firstTryMs`: how long it lasts at the least, until {@link firstTryIsOver}. */
  constructor(path: string, waitMs: number, signal?: AbortSignal, firstTryMs = 0) {
    this.#path = path
    this.#waitMs = waitMs
    this.#signal = signal
    this.#startMs = performance.now()
    this.#firstTryMs = firstTryMs
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  #startTimer(forMs: number): NodeJS.Timeout {
    const restMs = Math.max(0, this.#startMs + forMs - performance.now())
    return setTimeout(() => this.#end(new LockTimeoutError(this.#path, this.#waitMs, this.waitingFor)), restMs)
  }

  /** From now on only the wait that the caller asked for counts. */
  firstTryIsOver(): void {
    if (this.#timerIsForAll || this.isOver) return
    this.#timerIsForAll = true
    clearTimeout(this.#timer)
    this.#timer = this.#startTimer(this.#waitMs)
  }

  readonly #onAbort = () => this.#end(new AbortError(this.#path, this.#signal?.reason))

  #end(error: Error): void {
    this.#error = error
    for (const giveUp of this.#waiting) giveUp(error)
    this.#waiting.clear()
    this.done()
  }

  get isOver(): boolean {
    return this.#error !== undefined
  }

  /** @throws LockTimeoutError, AbortError */
  check(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Does something as long as there is patience; what is done at once is not waited for. @throws LockTimeoutError, AbortError */
  async run<T>(work: Work<T>, late?: (value: T) => void): Promise<T> {
    this.check()
    const first = work.next()
    return first.done ? first.value : await this.race(runAsynchronously(work, first), late)
  }

  /** Waits for something as long as there is patience. What comes too late is given to `late`, always. @throws LockTimeoutError, AbortError */
  race<T>(promise: Promise<T>, late: (value: T) => void = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      let isGivenUp = this.isOver
      const giveUp = (error: Error) => {
        isGivenUp = true
        reject(error)
      }
      if (this.#error !== undefined) reject(this.#error)
      else this.#wait(giveUp)
      promise.then(
        (value) => {
          this.#waiting.delete(giveUp)
          if (isGivenUp) late(value)
          else resolve(value)
        },
        (error) => {
          this.#waiting.delete(giveUp)
          reject(error) // who gave up does not get to know it
        },
      )
    })
  }

  /** There is no timer before something is waited for: many locks are got at once. */
  #wait(giveUp: (error: Error) => void): void {
    this.#waiting.add(giveUp)
    this.#timer ??= this.#startTimer(Math.max(this.#waitMs, this.#firstTryMs))
  }

  /** Ends the timer and the listener. */
  done(): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
