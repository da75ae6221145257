/**
 * Goal: when a wait was in vain, the message says that a holder holds the lock only where nothing else was seen since it was asked for.
 * Method: a waiter that has no turn, on a real directory, and the message of a patience that is over.
 */

import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { heldBy, Patience } from '../../build/locker/patience.js'
import { Waiter } from '../../build/waiting/waiter.js'
import { temporaryFolder } from '../process/support/folder.js'

const PATIENCE = { timeout: 10_000, interval: 2 }

test('a waiter tells what it has seen of the lock since a generation was in its way', async () => {
  const path = join(await temporaryFolder(), 'lock')
  mkdirSync(path)
  const entry = (name: string) => join(path, name)
  writeFileSync(entry('18'), '')
  const waiter = new Waiter(
    { isLocal: true },
    {
      path,
      glance: () => Promise.resolve(null),
      stand: () => Promise.resolve({ ahead: [], isCoarse: false }),
      others: () => Promise.resolve(0),
      leave: () => Promise.resolve(),
    },
  )
  onTestFinished(async () => void (await waiter.close()))
  void waiter.again(18n)
  expect(waiter.since(18n)).toBe('nothing')
  renameSync(entry('18'), entry('18.free'))
  await vi.waitUntil(() => waiter.since(18n) === 'released', PATIENCE)
  writeFileSync(entry('19'), '')
  await vi.waitUntil(() => waiter.since(18n) === 'changed hands', PATIENCE)
  // Of which a later try has told the holder.
  expect(waiter.since(19n)).toBe('nothing')
  // Where no generation was in the way, none tells.
  expect(waiter.since(null)).toBe('nothing')
})

test.each([
  { since: 'nothing', says: '(held by process 7; this waiter was first in line)' },
  { since: 'released', says: '(held by process 7 at the last try, and released since; this waiter was first in line)' },
  {
    since: 'changed hands',
    says: '(held by process 7 at the last try, and it has changed hands since; this waiter was first in line)',
  },
] as const)(
  'a message does not say of a holder that it holds the lock when the waiter has seen otherwise: $since',
  async ({ since, says }) => {
    const patience = new Patience('/dir/lock', 0)
    patience.waitingFor = heldBy('process 7')
    patience.waitersBefore = () => 0
    patience.since = () => since
    const waiting = patience.race(new Promise(() => {}))
    patience.endFirstTry()
    await expect(waiting).rejects.toThrow(says)
  },
)
