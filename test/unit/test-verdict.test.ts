/** Goal: the verdict of the lock test claims no more than was seen. Method: findings, and what is made of them. */

import { expect, test } from 'vitest'
import type { Neighbour } from '../../src/cli/test/neighbours.js'
import { type Finding, limitationOfFindings, verdictOf } from '../../src/cli/test/verdict.js'

const OWN = { host: 'node1', bootId: 'a' }
const SHARED = { type: 'nfs4', source: 'server:/', mountPoint: '/shared', options: [], reach: 'shared' as const }

function verdictOn(mount: typeof SHARED | null, holders: (string | null)[]) {
  const findings = holders.map((host) => ({
    tested: {},
    result: 'excluded',
    heldBy: host === null ? null : ({ record: { host, bootId: host === 'node1' ? 'a' : 'b' } } as Neighbour),
  })) as Finding[]
  return verdictOf(findings, limitationOfFindings(findings, OWN, mount))
}

test('a holder on another machine proves that locks exclude there', () => {
  expect(verdictOn(SHARED, ['node2'])).toBe('excluded')
  expect(verdictOn(SHARED, ['node2', null])).toBe('excluded')
})

test('a holder on this machine proves nothing about others', () => {
  expect(verdictOn(SHARED, ['node1'])).toBe('one-machine')
})

test('a holder that is not known, and may be dead, proves nothing', () => {
  expect(verdictOn(SHARED, [null, null])).toBe('holder-unknown')
})
