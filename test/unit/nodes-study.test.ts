/** What an error in a round of `locktester nodes` says about the lock: slowness says nothing. */

import { expect, test } from 'vitest'
import { doubtOf } from '../../src/cli/nodes/study.js'
import { LockTimeoutError } from '../../src/errors.js'

test('a try that had no answer in time says nothing about the lock: it waits for no holder', () => {
  const error = new LockTimeoutError('/shared/lock', 14_000, { why: 'the file system has not answered: does the mount hang?' })
  expect(doubtOf(error)).toEqual({ code: 'TOO_SLOW', message: error.message })
})

test('a refusal says that the lock cannot be used', () => {
  expect(doubtOf(new Error('no space'))).toBeNull()
})
