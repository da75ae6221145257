/**
 * Time, as this package takes it: clocks, timers, and the wait of a blocked thread. All of it is taken from the platform
 * once, when this module is loaded: a test that fakes time afterwards (`vi.useFakeTimers()`, sinon) fakes its own, and not
 * the time in which other nodes take a lock for abandoned. Nothing else in the library asks a global for time.
 */

import { uptime } from 'node:os'
import type { Clock } from '../protocol/operations.js'

const hrtime = process.hrtime
const uptimeS = uptime

/** Milliseconds of a clock that cannot be set, for measuring how long something takes. */
export const monotonicMs: () => number = performance.now.bind(performance)

/** Milliseconds since the epoch, by a clock that is set. */
export const wallClockMs = Date.now

/** An instant of that clock, for people. */
export const isoTime = (): string => toIsoString.call(new RealDate(wallClockMs()))
const RealDate = Date
const toIsoString = Date.prototype.toISOString

export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout
export const setInterval: typeof globalThis.setInterval = globalThis.setInterval
export const clearInterval: typeof globalThis.clearInterval = globalThis.clearInterval
export const setImmediate: typeof globalThis.setImmediate = globalThis.setImmediate
export const clearImmediate: typeof globalThis.clearImmediate = globalThis.clearImmediate

/** Blocks the thread until the word is another one, or the time is over. */
export const waitOnWord: typeof Atomics.wait = Atomics.wait

/** Waits for work, but no longer than that. */
export function within(limitMs: number, work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}

/** `os.uptime()` counts suspend but costs a file read, and has a resolution of 10 ms: differences below this are noise. */
const NOISE_MS = 20
/** The wall clock runs at the monotonic clock's pace but for adjustments, of which a suspend is one. */
const ADJUSTMENT_MS = 5

let wallLeadMs = Number.NaN
let suspendedMs = 0

/**
 * This machine's own clock, monotonic and counting the time in which the machine slept: the later of the monotonic clock
 * and the uptime. The kernel adds the length of a suspend to the wall clock and to the uptime at once, so the uptime is
 * read only when the wall clock has moved against the monotonic one.
 */
export function readClock(): Clock {
  const [seconds, nanoseconds] = hrtime()
  const monotonicMs = seconds * 1000 + nanoseconds / 1e6
  const wallMs = wallClockMs()
  const leadMs = wallMs - monotonicMs
  if (!(Math.abs(leadMs - wallLeadMs) <= ADJUSTMENT_MS)) {
    wallLeadMs = leadMs
    const aheadMs = uptimeS() * 1000 - monotonicMs
    if (aheadMs > suspendedMs + NOISE_MS) suspendedMs = aheadMs
  }
  return { ownMs: monotonicMs + suspendedMs, wallMs }
}
