/**
 * The seam between what is done to a lock file and how: a program is a generator that yields calls, and is driven
 * either with blocking calls or with asynchronous ones. So no sequence of system calls is written twice.
 */

import type { Lane } from '../drivers/lane.js'

type Done<T> = (error: Error | null, value?: T) => void

/** One system call: how to make it at once, and how to have it made. */
export interface Call<T> {
  now(): T
  start(done: Done<T>): void
}

export type Program<Result> = Generator<Call<unknown>, Result, unknown>

export function* make<T>(call: Call<T>): Program<T> {
  return (yield call) as T
}

export function runNow<Result>(program: Program<Result>): Result {
  let step = program.next()
  while (!step.done) {
    let value: unknown
    try {
      value = step.value.now()
    } catch (error) {
      step = program.throw(error)
      continue
    }
    step = program.next(value)
  }
  return step.value
}

export async function runInLane<Result>(program: Program<Result>, lane: Lane): Promise<Result> {
  let step = program.next()
  while (!step.done) {
    const call = step.value
    let value: unknown
    try {
      value = await lane.run<unknown>((done) => call.start(done))
    } catch (error) {
      step = program.throw(error)
      continue
    }
    step = program.next(value)
  }
  return step.value
}
