/**
 * The dead whose session file says nothing: another user may not write into it, or it was removed. Goal: watching always
 * comes to its end, so that the lock of a dead node goes to a waiter, whatever a patrol or an administrator does
 * meanwhile. Method: holders that are killed on another node, and processes that patrol the directory for longer than
 * watching takes, before and while they want the lock.
 */

import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createLocker } from '../../dist/index.js'
import { Agent, BRISK, SILENCE_MS } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'
import { otherNode } from './support/space.js'
import { outlast } from './support/time.js'

const ANN = 4241
const BOB = 4242
/** Many times what one interval of watching, a patrol and a last poll take: a watch that never ends takes all of it. */
const PATIENCE_MS = 20_000

const sessionsIn = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('.mountlock-41c29-'))

/** A lock whose holder, of that user, was killed on another node. */
async function heldByTheDead(folder: string, options: { locker: object; uid?: number; fixtures?: string }) {
  const path = join(folder, 'lock')
  const holder = await Agent.start({ ...options, on: await otherNode() })
  const held = await holder.acquire(path)
  const [session = ''] = sessionsIn(folder)
  await holder.murder()
  return { path, token: held.token, session: join(folder, session) }
}

/** Beside each other: what takes its time here is watching. */
const withEachKind = (prove: (locker: (typeof KINDS)[number]['locker']) => Promise<void>) =>
  Promise.all(KINDS.map(({ locker }) => prove(locker)))

describe('the lock of a dead node, whatever it is made of, goes to a process that patrols its directory', () => {
  test('also when it is of another user, whose session file cannot be marked; and that goes when nothing needs it', async () => {
    const { fixtures } = await installation()
    await withEachKind(async (locker) => {
      const folder = await temporaryFolder(0o777)
      const dead = await heldByTheDead(folder, { locker, uid: ANN, fixtures })
      const bob = await Agent.start({ locker, uid: BOB, fixtures })
      await bob.acquire(join(folder, 'another'))
      // It convicts and buries while it wants nothing from the dead.
      await outlast(SILENCE_MS + BRISK.timeoutIntervalMs)
      const taken = await bob.acquire(dead.path, PATIENCE_MS)
      expect(taken.token).toBeGreaterThan(dead.token)
      await expect.poll(() => sessionsIn(folder).length, { timeout: PATIENCE_MS, interval: 50 }).toBe(1)
    })
  })

  test('also when its session file was removed by hand', async () => {
    await withEachKind(async (locker) => {
      const folder = await temporaryFolder()
      const dead = await heldByTheDead(folder, { locker })
      const waiter = await Agent.start({ locker })
      await waiter.acquire(join(folder, 'another'))
      rmSync(dead.session)
      const taken = await waiter.acquire(dead.path, PATIENCE_MS)
      expect(taken.token).toBeGreaterThan(dead.token)
    })
  })
})

test('what was seen of a dead node outlives the locker that saw it, and tells every later look', async () => {
  const folder = await temporaryFolder()
  const dead = await heldByTheDead(folder, { locker: {} })
  /** One attempt or look, with a locker that is made for it. */
  async function once<T>(use: (locker: ReturnType<typeof createLocker>) => Promise<T>): Promise<T> {
    const locker = createLocker(BRISK)
    try {
      return await use(locker)
    } finally {
      await locker.close()
    }
  }
  expect(await once((locker) => locker.tryAcquire(dead.path))).toBeNull()
  rmSync(dead.session)
  await outlast(SILENCE_MS + 100)
  expect(await once((locker) => locker.inspect(dead.path))).toMatchObject({ state: 'stale' })
  const lock = await once(async (locker) => (await locker.tryAcquire(dead.path))?.token)
  expect(lock).toBeGreaterThan(dead.token)
})
