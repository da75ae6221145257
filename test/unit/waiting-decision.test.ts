/**
 * Goal: a waiter tries when it is worth it, and watches otherwise. Method: the one decision of waiting, a pure function, asked
 * for everything that a waiter can know.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide, type Known } from '../../build/waiting/decision.js'

const NOTHING_SEEN: Known = { sinceMs: 1000, intervalMs: 250, release: null, leaveMs: 0 }

test('a waiter that sees nothing watches until it is late, and tries then', () => {
  expect(decide(NOTHING_SEEN, 1000)).toEqual({ kind: 'watch', untilMs: 1250, standsBack: false })
  expect(decide(NOTHING_SEEN, 1249.9)).toEqual({ kind: 'watch', untilMs: 1250, standsBack: false })
  expect(decide(NOTHING_SEEN, 1250)).toEqual({ kind: 'try', occasion: 'late' })
})

test('a release is used when it is seen, or as much later as waiters are kept apart', () => {
  const seen = { ...NOTHING_SEEN, release: { seenMs: 1100, spreadMs: 0 } }
  expect(decide(seen, 1100)).toEqual({ kind: 'try', occasion: 'released' })
  const spread = { ...NOTHING_SEEN, release: { seenMs: 1100, spreadMs: 5 } }
  expect(decide(spread, 1100)).toEqual({ kind: 'watch', untilMs: 1105, standsBack: false })
  expect(decide(spread, 1105)).toEqual({ kind: 'try', occasion: 'released' })
})

test('a waiter that is late leaves the lock to others as long as it is theirs', () => {
  expect(decide({ ...NOTHING_SEEN, leaveMs: 300 }, 1260)).toEqual({ kind: 'watch', untilMs: 1560, standsBack: true })
  // Before it is late there is nothing to stand back from.
  expect(decide({ ...NOTHING_SEEN, leaveMs: 300 }, 1100)).toEqual({ kind: 'watch', untilMs: 1250, standsBack: false })
})

test('whatever a waiter knows, its decision is the same each time, and what it watches for lies ahead and within the longest of its waits', () => {
  const ms = fc.integer({ min: 0, max: 1e6 })
  const known = fc.record({
    sinceMs: ms,
    intervalMs: ms,
    release: fc.option(fc.record({ seenMs: ms, spreadMs: ms })),
    leaveMs: ms,
  })
  fc.assert(
    fc.property(known, ms, (known, nowMs) => {
      const decision = decide(known, nowMs)
      expect(decide(structuredClone(known), nowMs)).toEqual(decision)
      if (decision.kind === 'try') return
      const { sinceMs, intervalMs, release, leaveMs } = known
      expect(decision.untilMs).toBeGreaterThan(nowMs)
      expect(decision.untilMs).toBeLessThanOrEqual(
        Math.max(sinceMs + intervalMs, nowMs + leaveMs, (release?.seenMs ?? 0) + (release?.spreadMs ?? 0)),
      )
    }),
  )
})
