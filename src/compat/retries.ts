/** When to try again: the options of the `retry` package, as `proper-lockfile` takes them. */

import { monotonicMs, setTimeout } from '../drivers/clock.js'

export interface RetryOptions {
  /** How often at the most. @default 10 */
  retries?: number | undefined
  /** By how much each pause is longer than the one before. @default 2 */
  factor?: number | undefined
  /** The first pause, in milliseconds. @default 1000 */
  minTimeout?: number | undefined
  /** The longest pause, in milliseconds. @default Infinity */
  maxTimeout?: number | undefined
  /** Makes each pause up to twice as long. @default false */
  randomize?: boolean | undefined
  /** Goes on for ever: after the last pause comes the first again. @default false */
  forever?: boolean | undefined
  /** The pauses do not keep the process alive. @default false */
  unref?: boolean | undefined
  /** After this many milliseconds nothing is tried again. @default Infinity */
  maxRetryTime?: number | undefined
}

/** The longest that a timer of Node can wait. */
const PAUSE_MS_MAX = 2 ** 31 - 1

/** The pauses between the tries, in milliseconds. @internal */
export function* pauses(options: number | RetryOptions | null | undefined): Generator<number, void> {
  const given = typeof options === 'object' && options !== null ? options : { retries: options ?? 0 }
  const { retries = 10, factor = 2, minTimeout = 1000, maxTimeout = Infinity, randomize = false, forever = false } = given
  if (minTimeout > maxTimeout) throw new Error('minTimeout is greater than maxTimeout')
  const count = forever ? Math.max(retries, 1) : retries
  do {
    for (let i = 0; i < count; i++) {
      const pauseMs = Math.round((randomize ? Math.random() + 1 : 1) * minTimeout * factor ** i)
      yield Math.min(pauseMs, maxTimeout, PAUSE_MS_MAX)
    }
  } while (forever)
}

/** Tries until it works, or until there is no pause left: then throws the last error. @internal */
export async function retry<T>(work: () => Promise<T>, options: number | RetryOptions | null | undefined): Promise<T> {
  const { maxRetryTime = Infinity, unref = false } = typeof options === 'object' && options !== null ? options : {}
  const startMs = monotonicMs()
  const remaining = pauses(options)
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const { value: pauseMs, done } = remaining.next()
      if (done || monotonicMs() - startMs >= maxRetryTime) throw error
      await pause(pauseMs, unref)
    }
  }
}

function pause(ms: number, unref: boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    if (unref) timer.unref()
  })
}
