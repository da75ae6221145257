/** Listening to an `AbortSignal`. Goal: no abort is missed, not even one that was over before; one taken back tells nothing. */

import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { onAbort } from '../../src/locker/abort-listeners.js'

const turns = async () => {
  await turn()
  await turn()
}

test('a signal that was aborted before is told in the next turn of the event loop, once', async () => {
  let told = 0
  onAbort(AbortSignal.abort(), () => told++)
  expect(told).toBe(0)
  await turns()
  expect(told).toBe(1)
})

test('it is told also where a test has faked the turns of the event loop', async () => {
  const real = setImmediate
  globalThis.setImmediate = (() => {}) as unknown as typeof setImmediate
  let told = 0
  onAbort(AbortSignal.abort(), () => told++)
  globalThis.setImmediate = real
  await turns()
  expect(told).toBe(1)
})

test('a signal that is aborted afterwards is told at once, once, to all that listen', () => {
  const controller = new AbortController()
  const told: string[] = []
  onAbort(controller.signal, () => told.push('one'))
  onAbort(controller.signal, () => told.push('other'))
  controller.abort()
  controller.abort()
  expect(told).toEqual(['one', 'other'])
})

test.for([true, false])('a listener that was taken back is not told (aborted before: %s)', async (isAbortedBefore) => {
  const controller = new AbortController()
  if (isAbortedBefore) controller.abort()
  let told = 0
  onAbort(controller.signal, () => told++)()
  controller.abort()
  await turns()
  expect(told).toBe(0)
})
