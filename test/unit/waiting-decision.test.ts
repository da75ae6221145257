/**
 * Goal: a waiter tries when it is worth it, and looks or watches otherwise. Method: the one decision of waiting, a pure function,
 * asked for everything that a waiter can know.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide, type Known } from '../../build/waiting/decision.js'

const HELD: Known = { freeMs: null, turnMs: 0, standMs: null, lookMs: null, tryMs: 1250 }

test('a waiter that sees nothing watches until a try is due all the same', () => {
  expect(decide(HELD, 1000)).toEqual({ kind: 'watch', untilMs: 1250 })
  expect(decide(HELD, 1249.9)).toEqual({ kind: 'watch', untilMs: 1250 })
  expect(decide(HELD, 1250)).toEqual({ kind: 'try', occasion: 'late' })
})

test('a free lock is left to those that came before, and to no process by the first', () => {
  expect(decide({ ...HELD, freeMs: 1100 }, 1100)).toEqual({ kind: 'try', occasion: 'released' })
  const third = { ...HELD, freeMs: 1100, turnMs: 10 }
  expect(decide(third, 1100)).toEqual({ kind: 'watch', untilMs: 1110 })
  expect(decide(third, 1110)).toEqual({ kind: 'try', occasion: 'released' })
  // Also from a try that is due all the same.
  expect(decide({ ...third, tryMs: 1105 }, 1105)).toEqual({ kind: 'watch', untilMs: 1110 })
})

test('cheap looks and the reading of tickets come when they are due, and never keep a waiter from a try', () => {
  expect(decide({ ...HELD, lookMs: 1065 }, 1000)).toEqual({ kind: 'watch', untilMs: 1065 })
  expect(decide({ ...HELD, lookMs: 1065 }, 1065)).toEqual({ kind: 'look' })
  expect(decide({ ...HELD, standMs: 1003, lookMs: 1001 }, 1003)).toEqual({ kind: 'stand' })
  expect(decide({ ...HELD, freeMs: 1000, standMs: 1000, lookMs: 1000 }, 1000)).toEqual({ kind: 'try', occasion: 'released' })
  expect(decide({ ...HELD, standMs: 1250, lookMs: 1250 }, 1250)).toEqual({ kind: 'try', occasion: 'late' })
})

test('whatever a waiter knows, its decision is the same each time, and what it watches for lies ahead and comes', () => {
  const ms = fc.integer({ min: 0, max: 1e6 })
  const known = fc.record({ freeMs: fc.option(ms), turnMs: ms, standMs: fc.option(ms), lookMs: fc.option(ms), tryMs: ms })
  fc.assert(
    fc.property(known, ms, (known, nowMs) => {
      const decision = decide(known, nowMs)
      expect(decide(structuredClone(known), nowMs)).toEqual(decision)
      if (decision.kind !== 'watch') return
      expect(decision.untilMs).toBeGreaterThan(nowMs)
      expect(decision.untilMs).toBeLessThanOrEqual(Math.max(known.tryMs, (known.freeMs ?? 0) + known.turnMs))
      expect(decide(known, decision.untilMs).kind).not.toBe('watch')
    }),
  )
})
