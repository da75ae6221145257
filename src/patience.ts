/** How long somebody is ready to wait: a deadline and an `AbortSignal` in one. */

import { AbortError, LockTimeoutError } from './errors.js'

export class Patience {
  readonly #path: string
  readonly #waitMs: number
  readonly #deadline: number
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  readonly #over: Promise<never>
  #giveUp: (error: Error) => void = () => {}
  #isOver = false
  /** Whom we wait for, in words: for the message when it was in vain. */
  waitingFor: string | undefined

  constructor(path: string, waitMs: number, signal: AbortSignal | undefined) {
    this.#path = path
    this.#waitMs = waitMs
    this.#signal = signal
    this.#deadline = performance.now() + waitMs
    this.#over = new Promise((_, reject) => {
      this.#giveUp = reject
    })
    this.#over.catch(() => {}) // it may end when nobody is waiting
    this.#timer = setTimeout(() => this.#end(new LockTimeoutError(path, waitMs, this.waitingFor)), waitMs)
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  readonly #onAbort = () => this.#end(new AbortError(this.#path, this.#signal?.reason))

  #end(error: Error): void {
    this.#isOver = true
    this.#giveUp(error)
    this.done()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get remainingMs(): number {
    return Math.max(0, this.#deadline - performance.now())
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
      given = this.#isOver
    }
  }

  /** Ends the timer and the listener. */
  done(): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  /** The error of an end by time, for those who wait blocking. */
  timeout(): LockTimeoutError {
    return new LockTimeoutError(this.#path, this.#waitMs, this.waitingFor)
  }
}
