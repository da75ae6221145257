/**
 * Work that can be done in either of two ways: blocking, or asynchronously. It is written once, as a generator that
 * yields steps which know both ways, so that `acquire` and `acquireSync` cannot disagree.
 */

export interface Step {
  blocking(): unknown
  asynchronous(): Promise<unknown>
}

/** As much of a generator as running one takes. */
export interface Either<Result> {
  next(answer?: unknown): IteratorResult<Step, Result>
  throw(error: unknown): IteratorResult<Step, Result>
  [Symbol.iterator](): Either<Result>
}

/** One step, typed. */
export const either = <T>(blocking: () => T, asynchronous: () => Promise<T>): Either<T> => new OneStep(blocking, asynchronous)

/** No step at all: the result is there. */
export const already = <T>(result: T): Either<T> => new NoStep(result)

/** Written out, because a cycle of a lock makes several of these, and a generator takes ten times the memory. */
class OneStep<T> implements Step, Either<T> {
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

  [Symbol.iterator](): Either<T> {
    return this
  }
}

class NoStep<T> implements Either<T> {
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

  [Symbol.iterator](): Either<T> {
    return this
  }
}

export function runBlocking<Result>(work: Either<Result>): Result {
  let step = work.next()
  while (!step.done) {
    let value: unknown
    try {
      value = step.value.blocking()
    } catch (error) {
      step = work.throw(error)
      continue
    }
    step = work.next(value)
  }
  return step.value
}

/** `first`: where work that was begun already stands. */
export async function runAsynchronously<Result>(work: Either<Result>, first = work.next()): Promise<Result> {
  let step = first
  while (!step.done) {
    let value: unknown
    try {
      value = await step.value.asynchronous()
    } catch (error) {
      step = work.throw(error)
      continue
    }
    step = work.next(value)
  }
  return step.value
}
