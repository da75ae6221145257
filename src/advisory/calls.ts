/**
 * The seam between what is done to a lock file and how: a program is a generator that yields calls, and is driven
 * either with blocking calls or with asynchronous ones. So no sequence of system calls is written twice.
 */

import { driveAsynchronously, driveBlocking } from '../drivers/drive.js'
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

export const runNow = <Result>(program: Program<Result>): Result => driveBlocking(program, (call) => call.now())

export const runInLane = <Result>(program: Program<Result>, lane: Lane): Promise<Result> =>
  driveAsynchronously(program, (call) => lane.run<unknown>((done) => call.start(done)))
