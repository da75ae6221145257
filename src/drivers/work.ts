/**
 * A piece of work that can be done in two ways: blocking, or asynchronously. It is written once, as a generator that
 * yields steps which know both ways, so that `acquire` and `acquireSync` cannot disagree.
 */

import { driveAsynchronously, driveBlocking } from './drive.js'

interface Step {
  blocking(): unknown
  asynchronous(): Promise<unknown>
}

export type Work<Result> = Generator<Step, Result, unknown>

/** One step, typed. */
export function* eitherWay<T>(blocking: () => T, asynchronous: () => Promise<T>): Work<T> {
  return (yield { blocking, asynchronous }) as T
}

/** No step at all: the result is there. */
export function* already<T>(result: T): Work<T> {
  return result
}

export const runBlocking = <Result>(work: Work<Result>): Result => driveBlocking(work, (step) => step.blocking())

/** `first`: where work that was begun already stands. */
export const runAsynchronously = <Result>(work: Work<Result>, first = work.next()): Promise<Result> =>
  driveAsynchronously(work, (step) => step.asynchronous(), first)
