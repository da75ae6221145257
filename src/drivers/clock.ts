/** This machine's own clock: monotonic, and counting the time in which the machine slept. */

import { uptime } from 'node:os'
import type { Clock } from '../protocol/operations.js'

/** `os.uptime()` counts suspend but costs a file read, and has a resolution of 10 ms: differences below this are noise. */
const NOISE_MS = 20
/** The wall clock runs at the monotonic clock's pace but for adjustments, of which a suspend is one. */
const ADJUSTMENT_MS = 5

let wallLeadMs = Number.NaN
let suspendedMs = 0

/**
 * The later of the monotonic clock and the uptime. The kernel adds the length of a suspend to the wall clock and to the
 * uptime at once, so the uptime is read only when the wall clock has moved against the monotonic one.
 */
export function readClock(): Clock {
  const [seconds, nanoseconds] = process.hrtime()
  const monotonicMs = seconds * 1000 + nanoseconds / 1e6
  const wallMs = Date.now()
  const leadMs = wallMs - monotonicMs
  if (!(Math.abs(leadMs - wallLeadMs) <= ADJUSTMENT_MS)) {
    wallLeadMs = leadMs
    const aheadMs = uptime() * 1000 - monotonicMs
    if (aheadMs > suspendedMs + NOISE_MS) suspendedMs = aheadMs
  }
  return { ownMs: monotonicMs + suspendedMs, wallMs }
}
