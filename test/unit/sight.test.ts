/** Goal: slowness is not taken for absence. Method: looks whose pace the test decides, and limits of milliseconds. */

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isSeen } from '../../src/cli/agent/sight.js'

const LIMITS = { absentAfterMs: 50, promptMs: 60_000, limitMs: 120_000, pollMs: 1 }
const error = (code: string) => Object.assign(new Error(code), { code })

test('what looks at a fair pace do not find is not there', async () => {
  expect(await isSeen('it', () => Promise.resolve(false), LIMITS)).toBe(false)
})

test('what a later look finds is there', async () => {
  let looks = 0
  expect(await isSeen('it', () => Promise.resolve(++looks === 3), LIMITS)).toBe(true)
})

test('slow looks that do not find it tell nothing, however many there are', async () => {
  const slow = () => sleep(5).then(() => false)
  await expect(isSeen('the mark', slow, { ...LIMITS, absentAfterMs: 20, promptMs: 4, limitMs: 100 })).rejects.toMatchObject({
    code: 'TOO_SLOW',
    message: expect.stringContaining('too slow to tell whether the mark is there'),
  })
})

test('a server that does not answer for a while is waited for', async () => {
  let looks = 0
  const hung = () => (++looks <= 3 ? sleep(60).then(() => Promise.reject(error('SERVER_TIMEOUT'))) : Promise.resolve(true))
  expect(await isSeen('it', hung, { ...LIMITS, promptMs: 50, limitMs: 60_000 })).toBe(true)
})

test('a node that may not look is told so, and not that nothing is there', async () => {
  await expect(isSeen('it', () => Promise.reject(error('ACCESS_DENIED')), LIMITS)).rejects.toMatchObject({
    code: 'ACCESS_DENIED',
  })
})
