/** How long a caller is ready to wait: a deadline and an `AbortSignal` in one. */

import { clearTimeout, monotonicMs, setImmediate, setTimeout } from '../drivers/clock.js'
import { answersSoFar } from '../drivers/lane.js'
import { isStartAwaited, wantsProcessor } from '../drivers/threads.js'
import { type Work, runAsynchronously } from '../drivers/work.js'
import { AbortError, LockTimeoutError } from '../errors.js'
import type { Holder } from '../types.js'
import type { Since } from '../waiting/decision.js'
import { onAbort } from './abort-listeners.js'

const NO_ANSWER = 'the file system has not answered: does the mount hang?'
/** How a holder is called that is another call of this very process. */
export const THIS_PROCESS = 'this process'
/** What is waited for where a lock has a holder; `null`: it is not known which. */
export const heldBy = (holder: string | null): string => (holder === null ? 'it is held' : `held by ${holder}`)
/** A waiter asks for the holder now and then, and sees more often that it is another one. */
const SINCE: Record<Since, string> = {
  nothing: '',
  released: ' at the last try, and released since',
  'changed hands': ' at the last try, and it has changed hands since',
}

/**
 * While nothing is answered for so long, and no thread of this process waits for a processor, the file system is what
 * is waited for. Chosen: a healthy server answers in milliseconds.
 */
const SILENCE_MS = 100
/** A process that gets no processor is waited for no longer than this, by its own clock. Chosen: nothing hangs for longer. */
const BUSY_MS_MAX = 10_000

export class Patience {
  readonly path: string
  readonly #waitMs: number
  readonly #startMs: number
  readonly #ignoreSignal: (() => void) | undefined
  readonly #leastMs: number
  /** When the timer should fire. */
  #dueMs = 0
  #timer: NodeJS.Timeout | undefined
  #error: Error | undefined
  readonly #racing = new Set<(error: Error) => void>()
  /** A call that waits for no holder is one from its beginning to its end. */
  #isFirstTry = true
  #isDone = false
  /** What is waited for, in words: for the message when it was in vain. */
  waitingFor = NO_ANSWER
  /** What was begun with it is undone by then. */
  undone: Promise<void> | null = null
  /** The holder that was seen last, and how many waiters came before, as far as is known. */
  holder: Holder | null = null
  waitersBefore: () => number | null = () => null
  /** What was seen since then. */
  since: () => Since = () => 'nothing'

  /** `leastMs`: how long it lasts at the least, until {@link endFirstTry}. */
  constructor(path: string, waitMs: number, signal?: AbortSignal | undefined, leastMs = 0) {
    this.path = path
    this.#waitMs = waitMs
    this.#startMs = monotonicMs()
    this.#leastMs = leastMs
    if (signal === undefined) return
    const abort = () => this.end(new AbortError(path, signal.reason))
    if (signal.aborted) abort()
    else this.#ignoreSignal = onAbort(signal, abort)
  }

  get #firstTryMs(): number {
    return Math.max(this.#waitMs, this.#leastMs)
  }

  /** A patience without an end has no timer. */
  #startTimer(forMs: number): NodeJS.Timeout | undefined {
    if (forMs === Number.POSITIVE_INFINITY) return undefined
    this.#dueMs = this.#startMs + forMs
    return setTimeout(() => this.#timeIsUp(), Math.max(0, this.#dueMs - monotonicMs()))
  }

  #timeIsUp(): void {
    const missedMs = this.#missedMs()
    this.#afterAnswers((answersBefore) => {
      if (!this.#isFirstTry) this.#giveUp()
      else this.#listen(SILENCE_MS + Math.min(missedMs, this.#leastMs), answersBefore)
    })
  }

  /** How late the timer fired: for so long this process stood still, and its operations may have stood still with it. */
  #missedMs(): number {
    return Math.max(0, monotonicMs() - this.#dueMs)
  }

  #listen(silenceMs: number, answersBefore: number): void {
    this.#dueMs = monotonicMs() + silenceMs
    this.#timer = setTimeout(() => this.#endUnlessStarved(answersBefore), silenceMs)
  }

  /**
   * The first try ends when the file system does not answer. That this process or its threads get no processor, or that the
   * heartbeat thread has not started yet, is no reason.
   */
  #endUnlessStarved(answersBefore: number): void {
    const stoodStill = this.#missedMs() > SILENCE_MS
    this.#afterAnswers(() => {
      const isStarved = answersSoFar() !== answersBefore || stoodStill || isStartAwaited() || wantsProcessor()
      if (isStarved && monotonicMs() < this.#startMs + this.#firstTryMs + BUSY_MS_MAX) this.#timeIsUp()
      else this.#giveUp()
    })
  }

  /**
   * Whenever a timer has fired: a process that stood still finds it together with the answers that have come meanwhile, and these
   * are taken first.
   */
  #afterAnswers(act: (answersBefore: number) => void): void {
    const answersBefore = answersSoFar()
    const timer = this.#timer
    setImmediate(() => {
      if (!this.#isDone && timer === this.#timer) act(answersBefore)
    })
  }

  #giveUp(): void {
    const { holder } = this
    const why = `${this.waitingFor}${SINCE[this.since()]}`
    this.end(new LockTimeoutError(this.path, this.#waitMs, { why, holder, waitersBefore: this.waitersBefore() }))
  }

  lastsFor(ms: number): boolean {
    return this.#startMs + this.#waitMs - monotonicMs() > ms
  }

  /** From now on only the wait that the caller asked for counts. */
  endFirstTry(): void {
    if (!this.#isFirstTry || this.isOver) return
    this.#isFirstTry = false
    clearTimeout(this.#timer)
    this.#timer = this.#startTimer(this.#waitMs)
  }

  /** It is over before its time: every race ends with this error. The first error counts. */
  end(error: Error): void {
    if (this.isOver) return
    this.#error = error
    for (const giveUp of this.#racing) giveUp(error)
    this.#racing.clear()
    this.done()
  }

  get isOver(): boolean {
    return this.#error !== undefined
  }

  /** @throws LockTimeoutError, AbortError, or what it was ended with */
  check(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Does something as long as there is patience; what is done at once is not waited for. @throws as {@link check} */
  async run<T>(work: Work<T>, late?: (value: T) => void): Promise<T> {
    this.check()
    const first = work.next()
    return first.done ? first.value : await this.race(runAsynchronously(work, first), late)
  }

  /**
   * Waits for something as long as there is patience. What comes too late is given to `late`, always.
   * @throws as {@link check}
   */
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
          this.#racing.delete(giveUp)
          if (isGivenUp) late(value)
          else resolve(value)
        },
        (error) => {
          this.#racing.delete(giveUp)
          reject(error) // without effect if the caller was told something else before
        },
      )
    })
  }

  /** There is no timer before something is waited for: many locks are got at once. */
  #wait(giveUp: (error: Error) => void): void {
    this.#racing.add(giveUp)
    this.#timer ??= this.#startTimer(this.#firstTryMs)
  }

  /** Ends the timer and the listener. */
  done(): void {
    this.#isDone = true
    clearTimeout(this.#timer)
    this.#ignoreSignal?.()
  }
}
