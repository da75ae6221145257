/**
 * A piece of work that can be done in two ways: blocking, or asynchronously. It is written once, as a generator that
 * yields steps which know both ways, so that `acquire` and `acquireSync` cannot disagree.
 */

import { driveAsynchronously, driveBlocking, type Machine } from './drive.js'

interface Step {
  blocking(): unknown
  asynchronous(): Promise<unknown>
}

export interface Work<Result> extends Machine<Step, Result> {
  [Symbol.iterator](): Work<Result>
}

/** One step, typed. */
export const eitherWay = <T>(blocking: () => T, asynchronous: () => Promise<T>): Work<T> => new OneStep(blocking, asynchronous)

/** No step at all: the result is there. */
export const already = <T>(result: T): Work<T> => new NoStep(result)

/** Written out, because a cycle of a lock makes several of these, and a generator takes ten times the memory. */
class OneStep<T> implements Step, Work<T> {
  readonly blocking: () => T
  readonly asynchronous: () => Promise<T>
  #isYielded = false

  constructor(blocking: () => T, asynchronous: () => Promise<T>) {
    this.blocking = blocking
    this.asynchronous = asynchronous
  }

  next(answer?: unknown): IteratorResult<Step, T> {
    if (this.#isYielded) return { done: true, value: answer as T }
    this.#isYielded = true
    return { done: false, value: this }
  }

  throw(error: unknown): never {
    throw error
  }

  [Symbol.iterator](): Work<T> {
    return this
  }
}

class NoStep<T> implements Work<T> {
  readonly #result: T

  constructor(result: T) {
    this.#result = result
  }

  next(): IteratorResult<Step, T> {
    return { done: true, value: this.#result }
  }

  throw(error: unknown): never {
    throw error
  }

  [Symbol.iterator](): Work<T> {
    return this
  }
}

export const runBlocking = <Result>(work: Work<Result>): Result => driveBlocking(work, (step) => step.blocking())

/** `first`: where work that was begun already stands. */
export const runAsynchronously = <Result>(work: Work<Result>, first = work.next()): Promise<Result> =>
  driveAsynchronously(work, (step) => step.asynchronous(), first)
