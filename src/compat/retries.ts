/** When to try again: the options of the `retry` package, as `proper-lockfile` takes them. */

import { monotonicMs, setTimeout } from '../drivers/clock.js'

/** When to try again. */
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

/**
 * What `retries` may be: a number of tries, the pauses themselves in milliseconds, or options. Anything else that is
 * truthy means the defaults.
 */
export type Retries = number | readonly number[] | RetryOptions | null | undefined

/** The longest that a timer of Node can wait. */
const PAUSE_MS_MAX = 2 ** 31 - 1

const DEFAULTS = { retries: 10, factor: 2, minTimeout: 1000, maxTimeout: Infinity, randomize: false }
type Settings = { [Key in keyof RetryOptions]-?: number } & { forever: unknown; unref: unknown; maxRetryTime: unknown }

/** As the package reads them: an option that is there counts, even as `undefined` or `null`. */
function settingsOf(retries: Retries): Settings {
  const wanted = retries || 0
  const options = typeof wanted === 'number' ? { retries: wanted } : typeof wanted === 'object' ? wanted : {}
  return { ...DEFAULTS, ...options } as unknown as Settings
}

/** The pauses between the tries, in milliseconds. @internal */
export function* pauses(retries: Retries): Generator<number, void> {
  if (Array.isArray(retries)) return yield* retries as number[]
  const settings = settingsOf(retries)
  if (settings.minTimeout > settings.maxTimeout) throw new Error('minTimeout is greater than maxTimeout')
  // Never at an end, so never in one list: the package itself fills the memory here.
  if (settings.retries === Infinity) return yield* unboundedly(settings)
  do {
    const count = settings.forever ? Math.max(settings.retries || 0, 1) : settings.retries
    const each: number[] = []
    for (let i = 0; i < count; i++) each.push(pauseAfter(i, settings))
    yield* each.sort((a, b) => a - b)
  } while (settings.forever)
}

function* unboundedly(settings: Settings): Generator<number, void> {
  for (let i = 0; ; i++) yield pauseAfter(i, settings)
}

function pauseAfter(tries: number, { randomize, minTimeout, maxTimeout, factor }: Settings): number {
  return Math.min(Math.round((randomize ? Math.random() + 1 : 1) * minTimeout * factor ** tries), maxTimeout)
}

/** Tries until it works, or until there is no pause left: then throws the error that came most often. @internal */
export async function retry<T>(work: () => Promise<T>, retries: Retries): Promise<T> {
  const { maxRetryTime, unref } = settingsOf(retries)
  const retryMsMax = Number(maxRetryTime) || Infinity
  const startMs = monotonicMs()
  const remaining = pauses(retries)
  const errors: unknown[] = []
  for (;;) {
    try {
      return await work()
    } catch (error) {
      errors.push(error)
      const next = monotonicMs() - startMs >= retryMsMax ? undefined : remaining.next()
      if (next === undefined || next.done) throw mostFrequent(errors)
      if (errors.length >= ERRORS_MAX) errors.shift()
      await pause(Math.min(next.value, PAUSE_MS_MAX), Boolean(unref))
    }
  }
}

/** Which error was the most frequent is known from the last thousand, however long it goes on. */
const ERRORS_MAX = 1000

/** By message; of those that came equally often the last one, as the package has it. */
function mostFrequent(errors: readonly unknown[]): unknown {
  const counts = new Map<string, number>()
  let found: unknown
  let foundCount = 0
  for (const error of errors) {
    const message = String((error as Error).message)
    const count = (counts.get(message) ?? 0) + 1
    counts.set(message, count)
    if (count < foundCount) continue
    found = error
    foundCount = count
  }
  return found
}

function pause(ms: number, unref: boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    if (unref) timer.unref()
  })
}
