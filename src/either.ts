/**
 * Work that can be done in either of two ways: blocking, or asynchronously. It is written once, as a generator that
 * yields steps which know both ways, so that `acquire` and `acquireSync` cannot disagree.
 */

export interface Step {
  blocking(): unknown
  asynchronous(): Promise<unknown>
}

export type Either<Result> = Generator<Step, Result, unknown>

/** One step, typed. */
export function* either<T>(blocking: () => T, asynchronous: () => Promise<T>): Either<T> {
  return (yield { blocking, asynchronous }) as T
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
