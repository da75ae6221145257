/** Looks at markers. Goal: a process that takes thousands of locks asks the server about a few markers, and about others later. */

import { expect, test } from 'vitest'
import { MarkerLooks } from '../../src/link/marker-looks.js'

const takenOf = (looks: MarkerLooks, asked: number, nowMs: number) =>
  Array.from({ length: asked }, () => looks.take(nowMs)).filter(Boolean).length

test('of thousands of locks that are taken in a minute a few are looked at, and as many in the next', () => {
  const looks = new MarkerLooks()
  expect(takenOf(looks, 10_000, 0)).toBe(16)
  expect(takenOf(looks, 10_000, 59_999)).toBe(0)
  expect(takenOf(looks, 10_000, 60_000)).toBe(16)
})
