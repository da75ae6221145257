/** The assertion of our own invariants. Goal: what broke can be read from the message alone, whatever was there. */

import { expect, it } from 'vitest'
import { assert } from '../../build/assert.js'

const messageFor = (got: unknown) => {
  try {
    assert(false, 'a held lock', got)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('Expected an error, got none')
}

it('says nothing about an invariant that holds', () => {
  expect(() => assert(true, 'a held lock', null)).not.toThrow()
})

it('throws an error of the package, with a code and what to do', () => {
  expect(() => assert(false, 'a held lock', 1)).toThrow(
    expect.objectContaining({ name: 'InternalError', code: 'INTERNAL_ERROR', advice: expect.stringContaining('report') }),
  )
})

it('tells what was expected and what was there instead, whatever that is', () => {
  const circular: { self?: object } = {}
  circular.self = circular
  const throwing = { toJSON: () => assert(false, 'to be serialised', 0) }
  expect(messageFor({ state: 'free', generation: 17n })).toContain(
    'expected a held lock, got {"state":"free","generation":"17n"}',
  )
  expect(messageFor(17n)).toContain('got 17n.')
  expect(messageFor('')).toContain('got "".')
  expect(messageFor(undefined)).toContain('got undefined.')
  expect(messageFor(null)).toContain('got null.')
  expect(messageFor(circular)).toContain('got [object Object].')
  expect(messageFor(throwing)).toContain('got [object Object].')
  expect(messageFor('x'.repeat(10_000).split('')).length).toBeLessThan(500)
})
