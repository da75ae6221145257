/** Leases: between the moment at which a holder stops being sure and the one at which a judge convicts there is a gap, whatever the interval. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { elapsedMs, leaseMs, silenceMs } from '../../build/protocol/lease.js'
import { TIMEOUT_INTERVAL_MS_MAX } from '../../build/protocol/record.js'

const intervals = fc.integer({ min: 100, max: TIMEOUT_INTERVAL_MS_MAX })
const times = fc.integer({ min: 0, max: 2 ** 45 }).map((ms) => ms + 0.25)
const beats = fc.record({ ownMs: times, wallMs: times, serverMs: times })

test('a holder stops being sure before its timeout-interval is over, and a judge convicts after it', () => {
  fc.assert(
    fc.property(intervals, (timeoutIntervalMs) => {
      expect(leaseMs(timeoutIntervalMs)).toBeLessThan(timeoutIntervalMs)
      expect(silenceMs(timeoutIntervalMs)).toBeGreaterThan(timeoutIntervalMs)
      // Room for clocks that run 5 % apart.
      expect(leaseMs(timeoutIntervalMs) * 1.05).toBeLessThan(silenceMs(timeoutIntervalMs) * 0.95)
    }),
  )
})

test('the time between two heartbeats is the longest that any clock tells', () => {
  fc.assert(
    fc.property(beats, fc.nat(), fc.nat(), fc.nat(), (from, own, wall, server) => {
      const to = { ownMs: from.ownMs + own, wallMs: from.wallMs + wall, serverMs: from.serverMs + server }
      expect(elapsedMs(from, to)).toBe(Math.max(own, wall, server))
    }),
  )
})

test('a clock that was set back shortens nothing', () => {
  fc.assert(
    fc.property(beats, fc.nat(), fc.nat(), fc.nat(), (from, own, back, serverBack) => {
      const to = { ownMs: from.ownMs + own, wallMs: from.wallMs - back, serverMs: from.serverMs - serverBack }
      expect(elapsedMs(from, to)).toBeGreaterThanOrEqual(own)
    }),
  )
})
