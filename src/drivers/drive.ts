/**
 * The two ways of driving a machine. Work is written once, as a generator that yields the steps which it needs and is
 * resumed with what each gave: a protocol yields operations, an operation yields system calls, a lock type yields steps
 * that know both a blocking and an asynchronous way. Whatever the steps are, they are driven by these two loops.
 */

import { types } from 'node:util'

/** As much of a generator as driving one takes. */
export interface Machine<Step, Result> {
  next(answer?: unknown): IteratorResult<Step, Result>
  throw(error: unknown): IteratorResult<Step, Result>
}

/** Drives a machine to its end, blocking the thread. What `perform` throws is thrown into the machine. */
export function driveBlocking<Step, Result>(machine: Machine<Step, Result>, perform: (step: Step) => unknown): Result {
  let step = machine.next()
  while (!step.done) {
    let answer: unknown
    try {
      answer = perform(step.value)
    } catch (error) {
      step = machine.throw(error)
      continue
    }
    step = machine.next(answer)
  }
  return step.value
}

/**
 * The same, with steps that may take their time: `perform` gives an answer, or a promise of one. It is never abandoned
 * half-way. `first`: where a machine that was begun already stands.
 */
export async function driveAsynchronously<Step, Result>(
  machine: Machine<Step, Result>,
  perform: (step: Step) => unknown,
  first = machine.next(),
): Promise<Result> {
  let step = first
  while (!step.done) {
    let answer: unknown
    try {
      const given = perform(step.value)
      // What is known at once costs no turn of the event loop.
      answer = types.isPromise(given) ? await given : given
    } catch (error) {
      step = machine.throw(error)
      continue
    }
    step = machine.next(answer)
  }
  return step.value
}
