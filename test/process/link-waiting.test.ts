/**
 * Waiting for a lock. Goal: a waiter is served in its turn, is woken by a release, and can always
 * give up, leaving nothing behind, also when its locker is closed. Method: agents that wait; what they leave in the directory; and, within one process,
 * several lockers and two loaded copies of the package.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createLocker, type LockerOptions } from '../../dist/index.js'
import { Agent, BRISK, refusalOf } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'
import { otherNode } from './support/space.js'

const PATIENCE = { timeout: 10_000, interval: 5 }

const lockPath = async () => join(await temporaryFolder(), 'lock')

function newLocker(options: LockerOptions = {}, create = createLocker) {
  const locker = create({ ...BRISK, ...options })
  onTestFinished(() => locker.close())
  return locker
}

/** The next event on a channel of this process. */
function nextEvent(channel: string): Promise<void> {
  return new Promise((resolve) => {
    const heard = () => {
      unsubscribe(channel, heard)
      resolve()
    }
    subscribe(channel, heard)
  })
}

describe.each(KINDS)('$kind', ({ locker }) => {
  test.each(['this host', 'another node of the same machine'])(
    'a release wakes a waiter on %s within milliseconds',
    async (where) => {
      const path = await lockPath()
      const on = where === 'this host' ? {} : { on: await otherNode() }
      const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker, ...on })])
      const tookMs: number[] = []
      for (let round = 0; round < 9; round++) {
        const held = await holder.acquire(path)
        const waiting = await waiter.wait(path)
        const from = performance.now()
        await held.release()
        const next = await waiting.lock
        tookMs.push(performance.now() - from)
        await next.release()
      }
      // Woken by a watch, or by polling every few milliseconds where there is no watch: not by the slow polling behind a watch.
      expect(tookMs.sort((a, b) => a - b)[4]).toBeLessThan(100)
    },
  )

  test('a waiter whose patience ends is told which process holds the lock, and leaves nothing behind', async () => {
    const path = await lockPath()
    const [holder, waiter] = await Promise.all([
      Agent.start({ locker: { ...locker, label: 'night shift' } }),
      Agent.start({ locker }),
    ])
    const held = await holder.acquire(path)
    const before = await readdir(path)
    // Blocking first: what was given up on asynchronously may still be under way.
    const blocking = await waiter.refusal(path, 'acquireSync', 200)
    expect(blocking).toMatchObject({ code: 'LOCK_TIMEOUT' })
    expect(blocking.message).toContain(`process ${holder.pid} `)
    const from = performance.now()
    const refusal = await waiter.refusal(path, 'acquire', 400)
    expect(performance.now() - from).toBeGreaterThanOrEqual(399)
    expect(performance.now() - from).toBeLessThan(3000)
    expect(refusal).toMatchObject({ name: 'LockTimeoutError', code: 'LOCK_TIMEOUT', path })
    expect(refusal.message).toContain(`process ${holder.pid} `)
    expect(refusal.message).toContain('night shift')
    // Its ticket is removed in the background. The generation below the held one may have been cleaned up meanwhile.
    await vi.waitUntil(async () => !(await readdir(path)).includes('.wait'), PATIENCE)
    const after = await readdir(path)
    expect(after).toEqual(before.filter((name) => after.includes(name) || !name.endsWith('.free')))
    expect(await held.release()).toEqual({ lost: false })
  })

  test('acquireSync waits for a release by another process', async () => {
    const path = await lockPath()
    const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker })])
    const held = await holder.acquire(path)
    const waiting = waiter.acquireSync(path, 10_000)
    await holder.ask('ping')
    await held.release()
    expect((await waiting).token).toBeGreaterThan(held.token)
  })

  test('an AbortSignal ends the wait at once with an AbortError, and nothing is held afterwards', async () => {
    const path = await lockPath()
    const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker })])
    const held = await holder.acquire(path)
    const waits = waiter.says('waiting')
    const waiting = waiter.acquireAbortable(path)
    const refused = refusalOf(waiting.lock)
    await waits
    await waiting.abort()
    expect(await refused).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'changed my mind' } })
    await held.release()
    expect(await waiter.inspect(path)).toMatchObject({ state: 'free', token: String(held.token) })
  })

  test('an acquisition that is aborted while it is under way never leaves the lock held without a holder', async () => {
    const path = await lockPath()
    const [hasty, next] = await Promise.all([Agent.start({ locker }), Agent.start({ locker })])
    for (let round = 0; round < 30; round++) {
      const attempt = hasty.acquireAbortable(path)
      const outcome = attempt.lock.then(
        (lock) => lock.release(),
        () => 'aborted',
      )
      await attempt.abort()
      await outcome
      await (await next.acquire(path, 5000)).release()
    }
  })
})

test('with an AbortSignal that is aborted already nothing is even tried', async () => {
  const folder = await temporaryFolder()
  const locker = newLocker()
  const reason = new Error('too late')
  const refused = locker.acquire(join(folder, 'lock'), { signal: AbortSignal.abort(reason) })
  await expect(refused).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason })
  expect(await readdir(folder)).toEqual([])
})

test('waitMs of 0 acquires what is free and refuses what is held', async () => {
  const path = await lockPath()
  const [one, other] = [newLocker(), newLocker()]
  const held = await one.acquire(path, { waitMs: 1000 })
  await expect(other.acquire(path, { waitMs: 0 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
  await held.release()
  expect(other.acquireSync(path, { waitMs: 0 }).held).toBe(true)
})

test('within one process waiters get the lock in the order in which they came', async () => {
  const path = await lockPath()
  const lockers = [newLocker(), newLocker(), newLocker({ useSymlinks: true })]
  // Each knows the directory: none loses time by having to look at it first.
  for (const locker of lockers) await locker.inspect(path)
  const held = await newLocker().acquire(path)
  const served: number[] = []
  const waiting = Array.from({ length: 12 }, async (_, number) => {
    const lock = await (lockers[number % lockers.length] as (typeof lockers)[0]).acquire(path)
    served.push(number)
    await lock.release()
  })
  await held.release()
  await Promise.all(waiting)
  expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
})

test('a waiter that gives up in the middle of the queue does not hold the others up', async () => {
  const path = await lockPath()
  const locker = newLocker()
  const held = await locker.acquire(path)
  const controller = new AbortController()
  const [first, second, third] = [locker.acquire(path), locker.acquire(path, { signal: controller.signal }), locker.acquire(path)]
  controller.abort()
  await expect(second).rejects.toMatchObject({ code: 'ABORT_ERR' })
  await held.release()
  await (await first).release()
  expect((await third).held).toBe(true)
})

test('two lockers of one process exclude each other, by whatever name they know the directory', async () => {
  const folder = await temporaryFolder()
  const alias = join(await temporaryFolder(), 'alias')
  await symlink(folder, alias)
  const [one, other] = [newLocker(), newLocker({ useSymlinks: true })]
  const held = await one.acquire(join(folder, 'lock'))
  expect(await other.tryAcquire(join(alias, 'lock'))).toBeNull()
  expect(other.tryAcquireSync(join(alias, '.', 'lock'))).toBeNull()
  expect(() => one.acquireSync(join(alias, 'lock'), { waitMs: 5000 })).toThrowError(/this process/)
  await held.release()
  expect(await other.tryAcquire(join(alias, 'lock'))).not.toBeNull()
})

test('two loaded copies of the package in one process exclude each other, and queue in one line', async () => {
  const path = await lockPath()
  const copy = (await import(pathToFileURL((await installation()).entry).href)) as typeof import('../../dist/index.js')
  expect(copy.createLocker).not.toBe(createLocker)
  const [ours, theirs] = [newLocker(), newLocker({}, copy.createLocker)]
  const held = await ours.acquire(path)
  expect(await theirs.tryAcquire(path)).toBeNull()
  const order: string[] = []
  const waiting = [theirs, ours, theirs].map(async (locker, number) => {
    const lock = await locker.acquire(path)
    order.push(`${number} with ${lock.token}`)
    await lock.release()
  })
  await held.release()
  await Promise.all(waiting)
  const token = held.token as bigint
  expect(order).toEqual([`0 with ${token + 1n}`, `1 with ${token + 2n}`, `2 with ${token + 3n}`])
})

test('a waiter gets the lock when the holder’s locker closes', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'lock')
  const [holder, waiter] = await Promise.all([Agent.start(), Agent.start()])
  await holder.acquire(path)
  const waiting = await waiter.wait(path, 10_000)
  await holder.ask('close')
  expect((await waiting.lock).token).toBeGreaterThan(0n)
})

describe('a waiter whose locker is closed hears at once that it is, and stands in no other waiter’s way', () => {
  test('while another process holds the lock', async () => {
    const path = await lockPath()
    const held = await (await Agent.start()).acquire(path)
    const closing = createLocker(BRISK)
    const waits = nextEvent('mountlock:wait')
    const refused = expect(closing.acquire(path)).rejects.toThrowError(/locker is closed/)
    await waits
    await closing.close()
    await refused
    const next = newLocker().acquire(path)
    await held.release()
    expect((await next).held).toBe(true)
  })

  test('while another locker of its process holds the lock', async () => {
    const path = await lockPath()
    const held = await newLocker().acquire(path)
    const closing = createLocker(BRISK)
    await closing.inspect(path) // it knows the directory, and goes at once for its place
    const refused = expect(closing.acquire(path)).rejects.toThrowError(/locker is closed/)
    await setImmediate()
    await closing.close()
    await refused
    const next = newLocker().acquire(path)
    await held.release()
    expect((await next).held).toBe(true)
  })
})

describe('an AbortSignal that many acquisitions share', () => {
  const WAITERS = 12
  const warnings: string[] = []
  const remember = ({ name }: Error) => void warnings.push(name)
  beforeEach(() => void process.on('warning', remember))
  afterEach(() => void process.off('warning', remember))

  test('is heard by all of them, without a warning, and nothing stays on it', async () => {
    const path = await lockPath()
    await newLocker().acquire(path)
    const locker = newLocker()
    const controller = new AbortController()
    const { signal } = controller
    const waiting = Array.from({ length: WAITERS }, () => refusalIn(locker.acquire(path, { signal })))
    await setImmediate()
    const reason = new Error('all of you')
    controller.abort(reason)
    for (const refusal of await Promise.all(waiting)) expect(refusal).toMatchObject({ code: 'ABORT_ERR', cause: reason })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await setImmediate()
    expect(warnings).toEqual([])
  })

  test('keeps nothing of those that got their lock or lost their patience, and still tells the others', async () => {
    const path = await lockPath()
    const held = await newLocker().acquire(path)
    const locker = newLocker()
    const controller = new AbortController()
    const { signal } = controller
    const hasty = Array.from({ length: WAITERS }, () => refusalIn(locker.acquire(path, { signal, waitMs: 0 })))
    const served = locker.acquire(path, { signal })
    for (const refusal of await Promise.all(hasty)) expect(refusal).toMatchObject({ code: 'LOCK_TIMEOUT' })
    await held.release()
    const lock = await served
    expect(getEventListeners(signal, 'abort')).toEqual([])
    const waiting = refusalIn(locker.acquire(path, { signal }))
    await setImmediate()
    controller.abort()
    expect(await waiting).toMatchObject({ code: 'ABORT_ERR' })
    expect(lock.held).toBe(true)
    expect(warnings).toEqual([])
  })

  const refusalIn = (acquiring: Promise<unknown>) =>
    acquiring.then(
      () => 'it was acquired',
      (error: unknown) => error,
    )
})
