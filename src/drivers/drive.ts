/**
 * The two ways of driving a machine. Work is written once, as a generator that yields the steps which it needs and is
 * resumed with what each gave: a protocol yields operations, an operation yields system calls, a lock type yields steps
 * that know both a blocking and an asynchronous way. Whatever the steps are, they are driven by these two loops.
 *
 * All of them are plain generators (but an operation of one system call needs none: `singleCall`). Objects written out in the
 * place of the smallest ones save 2 % of a cycle on tmpfs (23.8 instead of 24.3 µs blocking, 24.6 instead of 25.2
 * asynchronous: the fastest tenth of 40 rounds, four processes each, in turn), nothing of what a held lock keeps (633 bytes,
 * benchmarks/questions/many.ts) and nothing in the simulator.
 */

import { types } from 'node:util'

type Machine<Step, Result> = Generator<Step, Result, unknown>

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
