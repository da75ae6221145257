/**
 * The line in front of a link-based lock, as one acquisition after the other of a process sees it. Goal: it has no ticket that says
 * nothing, it is in no way of its own, and what the dead have left goes. Method: the lines of real locks, one call at a time.
 */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { runAsynchronously } from '../../build/drivers/work.js'
import { LinkLocks } from '../../build/link/link-locks.js'
import { claimFor } from '../../build/protocol/claims.js'
import { BRISK } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { PATIENCE, plant, tickets } from './support/waiting.js'

/** As in src/link/line.ts, less what a timer may be early. */
const EMPTY_MS = 1999
const nothing = () => {}

/** A lock that is held, and the generation. */
async function heldLock() {
  const folder = await temporaryFolder()
  const path = join(folder, 'lock')
  const claim = claimFor('linkbased', false)
  const locks = new LinkLocks({ lockType: 'linkbased', claim, label: '', ...BRISK, onRefreshFailed: nothing, onReaped: nothing })
  onTestFinished(() => locks.close())
  const lockable = await runAsynchronously(locks.at(path))
  const taken = await runAsynchronously(lockable.tryTake({ shared: false, fresh: false, wanted: () => true }))
  if (taken.kind !== 'acquired' || taken.hold.token === null) throw new Error(taken.kind)
  onTestFinished(async () => void (await runAsynchronously(taken.hold.release())))
  const newLine = () => {
    const line = lockable.line()
    if (line === null) throw new Error('a lock without a line')
    return line
  }
  const [session] = readdirSync(folder).filter((name) => name.startsWith('.mountlock-41c29-'))
  return { path, generation: taken.hold.token, newLine, owner: session?.slice(17) }
}

test('a place that is given up while the ticket is being made leaves none', async () => {
  const { path, generation, newLine } = await heldLock()
  for (let round = 0; round < 50; round++) {
    const line = newLine()
    const standing = line.stand(generation, false)
    for (let turn = 0; turn < round; turn++) await Promise.resolve()
    await line.leave()
    await standing
    await vi.waitUntil(() => !readdirSync(path).includes('.wait'), PATIENCE)
  }
})

test('without a generation that is in the way there is no place, and no ticket', async () => {
  const { path, newLine } = await heldLock()
  const line = newLine()
  expect(await line.stand(null, false)).toMatchObject({ ahead: [] })
  expect(readdirSync(path)).not.toContain('.wait')
  await line.leave()
})

test('a ticket of this process that could not be removed in its time is in no way of its own, and is removed', async () => {
  const { path, generation, newLine, owner } = await heldLock()
  plant(path, [`1.${owner}`])
  const line = newLine()
  expect(await line.stand(generation, false)).toMatchObject({ ahead: [] })
  await vi.waitUntil(() => tickets(path).length === 1, PATIENCE)
  expect(tickets(path)).toEqual([`${generation}.${owner}`])
  await line.leave()
})

test('a waiter that looks whether those before it live sees several that died in one go, and removes their tickets', async () => {
  const { path, generation, newLine, owner } = await heldLock()
  const dead = Array.from({ length: 8 }, (_, index) => `1.ghost-1-0123456789abcde${index}`)
  plant(path, dead)
  const line = newLine()
  const before: number[] = []
  for (const isLate of [false, true, true]) before.push((await line.stand(generation, isLate)).ahead.length)
  expect(before).toEqual([8, 4, 0])
  await vi.waitUntil(() => tickets(path).length === 1, PATIENCE)
  expect(tickets(path)).toEqual([`${generation}.${owner}`])
  await line.leave()
})

test('an empty directory of tickets is left for a while to a waiter that may be about to make its own, and then goes', async () => {
  const { path, newLine } = await heldLock()
  mkdirSync(join(path, '.wait'))
  const fromMs = performance.now()
  const isGone = async () => {
    await newLine().others()
    return !readdirSync(path).includes('.wait')
  }
  await vi.waitUntil(isGone, PATIENCE)
  expect(performance.now() - fromMs).toBeGreaterThan(EMPTY_MS)
})

test('a process that comes back asks more of those that wait each time, as long as it meets only dead ones', async () => {
  const { path, newLine, owner } = await heldLock()
  const dead = Array.from({ length: 9 }, (_, index) => `0.ghost-1-0123456789abcde${index}`)
  const others: number[] = []
  for (let times = 0; times < 3; times++) {
    plant(path, dead) // as where they may not be removed
    plant(path, ['1.living-1-0123456789abcdef'])
    writeFileSync(join(path, '../.mountlock-41c29-living-1-0123456789abcdef'), 'not yet written') // is believed to live
    others.push(await newLine().others())
  }
  expect(owner).toBeDefined()
  expect(others).toEqual([0, 0, 1])
})
