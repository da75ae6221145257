/**
 * What is left behind. Goal: an idle directory of locks is small, whatever happened in it, and nothing that is not ours is
 * ever removed. Method: leftovers as crashed processes leave them, and their look-alikes; then a process works there.
 */

import { cp, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createLocker } from '../../dist/index.js'
import { Agent, BRISK } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { otherNode } from './support/space.js'
import { outlast } from './support/time.js'
import { PATIENCE } from './support/waiting.js'

const RANDOM = '0123456789abcdef'
const SESSION = /^\.mountlock-41c29-/
const WEEK_AGO_S = Date.now() / 1000 - 7 * 24 * 60 * 60

describe.each(KINDS)('$kind', ({ locker }) => {
  test('after many acquisitions and releases by many processes a lock is its marker and one generation', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const agents = await Promise.all([1, 2, 3, 4].map(() => Agent.start({ locker })))
    await Promise.all(
      agents.map(async (agent) => {
        for (let i = 0; i < 25; i++) await (await agent.acquire(path)).release()
      }),
    )
    // What lies below is removed by the next process that comes by.
    const last = await (agents[0] as Agent).acquire(path)
    await last.release()
    await expect.poll(() => readdir(path), PATIENCE).toHaveLength(2)
    expect(await readdir(path)).toContain(`${last.token}.free`)
    await Promise.all(agents.map((agent) => agent.ask('close')))
    expect(await readdir(folder)).toEqual(['lock'])
  })

  test('the session files of killed processes are reaped, on the same host and, once they were watched, on another node', async () => {
    const folder = await temporaryFolder()
    const on = await otherNode()
    const victims = await Promise.all([{}, {}, { on }, { on }].map((where) => Agent.start({ locker, ...where })))
    await Promise.all(victims.map((victim, i) => victim.acquire(join(folder, `lock ${i}`))))
    await Promise.all(victims.map((victim) => victim.murder()))
    const survivor = await Agent.start({ locker })
    await survivor.acquire(join(folder, 'other'))
    const sessions = async () => (await readdir(folder)).filter((name) => SESSION.test(name)).length
    // Each patrol watches the next two: two for their silence, and the same again for those that come after.
    await expect.poll(sessions, { timeout: 40_000, interval: 50 }).toBe(1)
    for (const i of victims.keys()) expect(await survivor.tryAcquire(join(folder, `lock ${i}`))).not.toBeNull()
  })

  test('the traces of waiters that were killed do not get in the way', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const [one, other] = await Promise.all([Agent.start({ locker }), Agent.start({ locker })])
    await (await one.acquire(path)).release()
    for (let i = 0; i < 40; i++) await writeFile(join(path, `.look-${RANDOM.slice(2)}${10 + i}`), '')
    const held = await other.acquire(path, 10_000)
    expect(await one.tryAcquire(path)).toBeNull()
    expect(await held.release()).toEqual({ lost: false })
    await (await one.acquire(path, 10_000)).release()
    expect((await readdir(path)).filter((name) => name.startsWith('.look-')).length).toBeLessThan(40)
  })

  test('what only looks like ours is left alone, in the directory and beside it', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const agent = await Agent.start({ locker })
    await agent.acquire(path)
    const old = new Date(0)
    const beside = [
      '.mountlock-41c29-host-1-short',
      '.mountlock-new-short',
      `.mountlock-41c29-host-x-${RANDOM}`,
      `mountlock-41c29-host-1-${RANDOM}`,
    ]
    for (const name of beside) {
      await writeFile(join(folder, name), 'hands off')
      await utimes(join(folder, name), old, old)
    }
    const foreign = `.mountlock-41c29-host-1-${RANDOM}`
    await writeFile(join(folder, foreign), 'its name is ours, what it says is not')
    const outside = join(await temporaryFolder(), 'precious')
    await writeFile(outside, 'precious')
    const link = `.mountlock-41c29-host-2-${RANDOM}`
    await symlink(outside, join(folder, link))
    await mkdir(join(folder, `.mountlock-41c29-host-3-${RANDOM}`))
    await outlast(3 * BRISK.timeoutIntervalMs)
    expect(await readdir(folder)).toEqual(expect.arrayContaining([...beside, foreign, link]))
    expect(await readFile(outside, 'utf8')).toBe('precious')
  })
})

test.each(KINDS)('nothing is under way any more when a locker is closed, wherever its call was ($kind)', async ({ locker }) => {
  for (let turns = 0; turns < 40; turns++) {
    const folder = await temporaryFolder()
    const closed = createLocker({ ...BRISK, ...locker })
    const outcome = closed.acquire(join(folder, 'lock')).catch(({ code }) => code)
    for (let turn = 0; turn < turns; turn++) await nextTurn()
    await closed.close()
    expect(readdirSync(folder).filter((name) => name !== 'lock')).toEqual([])
    await outcome
  }
})

test.each(KINDS)(
  'a lock that is used keeps its marker from a program that removes what is old ($kind)',
  async ({ kind, locker }) => {
    const path = join(await temporaryFolder(), 'lock')
    const marker = join(path, kind === 'rename' ? '.renames' : '.links')
    const [first, later] = [await Agent.start({ locker }), await Agent.start({ locker })]
    await (await first.acquire(path)).release()
    const text = await readFile(marker, 'utf8')
    await utimes(marker, WEEK_AGO_S, WEEK_AGO_S)
    const held = await later.acquire(path)
    await expect.poll(async () => (await stat(marker)).mtimeMs / 1000, PATIENCE).toBeGreaterThan(WEEK_AGO_S)
    expect(await readFile(marker, 'utf8')).toBe(text)
    expect(await held.release()).toEqual({ lost: false })
  },
)

test('a copy of a lock that is held, as a backup makes it, is free when nothing writes in it for an interval', async () => {
  const folder = await temporaryFolder()
  const [path, copy] = [join(folder, 'lock'), join(folder, 'copy')]
  const holder = await Agent.start()
  const held = await holder.acquire(path)
  // What lies below its generation is removed in the background: a copy that is made meanwhile would look for it.
  await expect.poll(() => readdir(path), PATIENCE).toHaveLength(2)
  await cp(path, copy, { recursive: true })
  const other = await Agent.start()
  expect(await other.tryAcquire(copy)).toBeNull()
  // Meanwhile its patrol sees that the session lives of which this is a copy.
  const lock = await other.acquire(copy, 10 * BRISK.timeoutIntervalMs)
  expect(lock.token).toBeGreaterThan(held.token)
  expect(await other.tryAcquire(path)).toBeNull()
  expect(await held.release()).toEqual({ lost: false })
})

test('a record that is a FIFO stops no process', async () => {
  const folder = await temporaryFolder()
  const on = await otherNode()
  await on.run('mkfifo "$1"', join(folder, `.mountlock-41c29-host-1-${RANDOM}`))
  const agent = await Agent.start()
  const held = await agent.acquire(join(folder, 'lock'))
  await outlast(2 * BRISK.timeoutIntervalMs)
  expect(await held.status()).toMatchObject({ held: true })
})
