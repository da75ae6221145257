/**
 * Goal: a waiter knows its place in the line from one listing of the tickets, and from which processes have taken the lock since.
 * Method: the object that keeps it, with tickets and holders in every order that waiters meet.
 */

import { expect, test } from 'vitest'
import { Standing } from '../../src/waiting/standing.js'

const waiting = (sessionFile: string, generation = 7n) => ({ ticket: `${generation}.${sessionFile}`, generation, sessionFile })
const [one, two, three] = [waiting('one'), waiting('two'), waiting('three')]

function standingBehind(...ahead: ReturnType<typeof waiting>[]): Standing {
  const standing = new Standing()
  standing.placed(ahead)
  return standing
}

test('a waiter without a place is not the first, and nothing that happens gives it one', () => {
  const standing = new Standing()
  standing.served(8n, 'one')
  expect(standing).toMatchObject({ before: null, isFirst: false, isCurrent: false, isOutdated: false })
})

test('a process that takes the lock stands before nobody any more, whichever place it had', () => {
  const standing = standingBehind(one, two, three)
  expect(standing.served(8n, 'two')).toBe(true)
  expect(standing.stillWaiting([one, two, three])).toEqual([one, three])
  expect(standing.served(9n, 'one')).toBe(true)
  expect(standing.served(10n, 'three')).toBe(true)
  expect(standing.isFirst).toBe(true)
})

test('where the entry does not tell which process took the lock, it was most likely the first, and the place is uncertain', () => {
  const standing = standingBehind(one, two)
  expect(standing.served(8n, null)).toBe(false)
  expect(standing.before).toBe(1)
})

test('a process that has a turn without having waited is counted as the first, and the place is uncertain', () => {
  const standing = standingBehind(one, two)
  expect(standing.served(8n, 'a stranger')).toBe(false)
  expect(standing.before).toBe(1)
})

test('the ticket that a holder has not removed yet does not count; one that it makes when it waits again does', () => {
  const standing = new Standing()
  standing.served(9n, 'one')
  expect(standing.stillWaiting([waiting('one', 8n), two])).toEqual([two])
  expect(standing.stillWaiting([waiting('one', 9n), waiting('two', 9n)])).toHaveLength(2)
})

test('what a waiter does not follow makes its place outdated, until the tickets are listed again', () => {
  const standing = standingBehind(one, two, three)
  standing.outdated()
  expect(standing).toMatchObject({ before: 3, isFirst: false, isCurrent: false, isOutdated: true })
  standing.served(20n, null)
  expect(standing.before).toBe(3)
  standing.placed([])
  expect(standing).toMatchObject({ before: 0, isFirst: true, isOutdated: false })
})
