/** How long somebody is ready to wait: a deadline and an `AbortSignal` in one. */

import { AbortError, LockTimeoutError } from './errors.js'

const NO_ANSWER = 'the file system has not answered: does the mount hang?'

export class Patience {
  readonly #path: string
  readonly #waitMs: number
  readonly #deadline: number
  readonly #signal: AbortSignal | undefined
  #timer: NodeJS.Timeout
  #error: Error | undefined
  readonly #over: Promise<never>
  #timerIsForAll = false
  #giveUp: (error: Error) => void = () => {}
  /** What we wait for, in words: for the message when it was in vain. */
  waitingFor = NO_ANSWER

  /** `firstTryMs`: how long it lasts at the least, until {@link firstTryIsOver}. */
  constructor(path: string, waitMs: number, signal?: AbortSignal, firstTryMs = 0) {
    this.#path = path
    this.#waitMs = waitMs
    this.#signal = signal
    this.#deadline = performance.now() + waitMs
    this.#over = new Promise((_, reject) => {
      this.#giveUp = reject
    })
    this.#over.catch(() => {}) // it may end when nobody is waiting
    this.#timer = this.#startTimer(Math.max(waitMs, firstTryMs))
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  #startTimer(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#end(new LockTimeoutError(this.#path, this.#waitMs, this.waitingFor)), delayMs)
  }

  /** From now on only the wait that the caller asked for counts. */
  firstTryIsOver(): void {
    if (this.#timerIsForAll || this.isOver) return
    this.#timerIsForAll = true
    clearTimeout(this.#timer)
    this.#timer = this.#startTimer(Math.max(0, this.#deadline - performance.now()))
  }

  readonly #onAbort = () => this.#end(new AbortError(this.#path, this.#signal?.reason))

  #end(error: Error): void {
    this.#error = error
    this.#giveUp(error)
    this.done()
  }

  get isOver(): boolean {
    return this.#error !== undefined
  }

  /** @throws LockTimeoutError, AbortError */
  check(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Waits for something as long as there is patience. What comes too late is given to `late`. @throws LockTimeoutError, AbortError */
  async race<T>(promise: Promise<T>, late: (value: T) => void = () => {}): Promise<T> {
    let given = false
    promise.then(
      (value) => {
        if (given) late(value)
      },
      () => {}, // who gave up does not want to know what else went wrong
    )
    try {
      return await Promise.race([this.#over, promise])
    } finally {
      given = this.isOver
    }
  }

  /** Ends the timer and the listener. */
  done(): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
