/**
 * Goal: a round of `locktester nodes` is judged by what was shown. Slowness shows nothing about the lock. A second process on the
 * holder's node that gets the lock shows as much as one on another node.
 */

import { expect, test } from 'vitest'
import { cellOf, exitCodeOf, type KindResult, recommend } from '../../src/cli/nodes/judgement.js'
import { doubtOf, type Round } from '../../src/cli/nodes/study.js'
import { LockTimeoutError } from '../../src/errors.js'

const EXCLUDED: Round['attempts'][number] = {
  ...({ by: 'b', result: 'excluded', heldBy: null, lost: null, error: null } as const),
  ...{ heldBefore: true, heldAfter: true, heldByBoth: false },
}
const PASSED: Round = {
  ...{ node: 'a', tries: 1, holder: { pid: 1, token: null }, error: null, doubt: null },
  neighbour: { ...EXCLUDED, by: 'a' },
  attempts: [EXCLUDED],
  ...{ handOver: { to: 'b', tookMs: 1 }, takeOver: { to: 'b', tookMs: 1 } },
}

test('a try that had no answer in time says nothing about the lock: it waits for no holder', () => {
  const error = new LockTimeoutError('/shared/lock', 14_000, { why: 'the file system has not answered: does the mount hang?' })
  expect(doubtOf(error)).toEqual({ code: 'TOO_SLOW', message: error.message })
})

test('a refusal says that the lock cannot be used', () => {
  expect(doubtOf(new Error('no space'))).toBeNull()
})

test('a kind that another process of its node is given while it is held is unsafe, whatever the other nodes came to', () => {
  expect(cellOf('flock', { ...PASSED, neighbour: { ...EXCLUDED, by: 'a', result: 'acquired', heldByBoth: true } })).toMatchObject(
    {
      mark: 'unsafe',
      evidence: expect.arrayContaining([
        'a held it, said so before and after, and another process on a acquired it in between and held it too',
      ]),
    },
  )
  expect(cellOf('flock', PASSED)).toMatchObject({
    mark: 'pass',
    evidence: expect.arrayContaining(['another process on a was refused while a held it']),
  })
})

test('where flock is refused since it does not exclude, the advisory locks that are recommended are those by fcntl', () => {
  const passed: KindResult = { kind: 'fcntl', rounds: [PASSED] }
  const refused = { ...PASSED, attempts: [], neighbour: null, error: { code: 'FLOCK_UNSAFE', message: 'no' } }
  const failed = { ...refused, error: { code: 'NOT_SUPPORTED', message: 'no' } }
  const withFlock = (round: Round): KindResult[] => [{ kind: 'flock', rounds: [round] }, passed]
  expect(recommend({ results: withFlock(refused), limitation: null })).toEqual({ lockType: 'advisory', useSymlinks: false })
  expect(exitCodeOf(withFlock(refused))).toBe(0)
  expect(recommend({ results: withFlock(failed), limitation: null })).toBeNull()
  expect(exitCodeOf(withFlock(failed))).toBe(69)
})
