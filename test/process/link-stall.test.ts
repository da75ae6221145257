/**
 * Holders that stand still and go on. Goal: one that stands still for less than its timeout-interval loses nothing; one
 * that stands still for longer may be taken over, learns that it was, and changes nothing for its successor. Method:
 * SIGSTOP and SIGCONT from here, and holders that block their own event loop, with rivals that watch all the time.
 */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent, BRISK, LEASE_MS } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { otherNode } from './support/space.js'
import { outlast, processState } from './support/time.js'
import { PATIENCE } from './support/waiting.js'

async function lockPath(): Promise<string> {
  return join(await temporaryFolder(), 'lock')
}

async function stop(agent: Agent): Promise<void> {
  agent.kill('SIGSTOP')
  await processState(agent.pid, 'T')
}

describe.each(KINDS)('$kind', ({ locker }) => {
  test('a holder that is stopped for less than its timeout-interval is not taken over, and loses nothing', async () => {
    const path = await lockPath()
    const on = await otherNode()
    // Even with nearly a whole refresh before the stop, its lease lasts longer than the stop.
    const patient = { ...locker, refreshRateMs: 500, timeoutIntervalMs: 6000 }
    const [holder, waiter] = await Promise.all([Agent.start({ locker: patient }), Agent.start({ locker: patient, on })])
    const held = await holder.acquire(path)
    const waiting = waiter.refusal(path, 'acquire', 12_000)
    for (let round = 0; round < 3; round++) {
      await stop(holder)
      await outlast(2500)
      holder.kill('SIGCONT')
      expect(await held.status()).toMatchObject({ held: true, aborted: false, asserted: null })
      await held.heartbeat()
    }
    expect(await waiting).toMatchObject({ code: 'LOCK_TIMEOUT' })
    expect(await held.release()).toEqual({ lost: false })
  })

  test('a holder that is stopped for longer is taken over from another node; woken, it is told, and changes nothing for its successor', async () => {
    const path = await lockPath()
    const on = await otherNode()
    const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker, on })])
    const held = await holder.acquire(path)
    await stop(holder)
    const taken = await waiter.acquire(path, 20_000)
    expect(taken.token).toBeGreaterThan(held.token)

    holder.kill('SIGCONT')
    expect(await held.status()).toMatchObject({ held: false, remainingMs: 0, aborted: true, asserted: { code: 'LOCK_LOST' } })
    expect((await held.lost()).error).toMatchObject({ name: 'LockLostError', code: 'LOCK_LOST', path })
    expect(await held.release()).toEqual({ lost: true })
    expect(await held.releaseSync()).toEqual({ lost: true })

    expect(await holder.tryAcquire(path)).toBeNull()
    expect(await taken.status()).toMatchObject({ held: true, asserted: null })
    expect(await waiter.inspect(path)).toMatchObject({ state: 'held', token: String(taken.token) })
    expect(await taken.release()).toEqual({ lost: false })
    // And the one that was lost to the world can go on, with a lock of its own.
    expect((await holder.acquire(path)).token).toBeGreaterThan(taken.token)
  })

  test('a holder that is stopped for longer is taken over on the same host too', async () => {
    const path = await lockPath()
    const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker })])
    const held = await holder.acquire(path)
    await stop(holder)
    const taken = await waiter.acquire(path, 20_000)
    holder.kill('SIGCONT')
    expect(await held.release()).toEqual({ lost: true })
    expect(await taken.status()).toMatchObject({ held: true })
  })

  test('of several that wait for a dead holder on two nodes exactly one takes over', async () => {
    const path = await lockPath()
    const on = await otherNode()
    const [holder, ...takers] = await Promise.all([
      Agent.start({ locker }),
      ...[{}, {}, { on }, { on }].map((where) => Agent.start({ locker, ...where })),
    ])
    await holder?.acquire(path)
    const waiting = (await Promise.all(takers.map((taker) => taker.wait(path, 20_000)))).map(({ lock }) => lock)
    await holder?.murder()
    for (let left = waiting.length; left > 0; left--) {
      const open = [...waiting]
      const winner = await Promise.any(open.map(async (promise) => ({ promise, lock: await promise })))
      for (const taker of takers)
        expect(await taker.inspect(path)).toMatchObject({ state: 'held', token: String(winner.lock.token) })
      void waiting.splice(waiting.indexOf(winner.promise), 1)
      expect(await Promise.race([...waiting, 'still waiting'])).toBe('still waiting')
      await winner.lock.release()
    }
  })
})

test('several waiters that are convinced of a stopped holder’s death at the same time: one takes over, and the woken holder takes nothing back', async () => {
  const path = await lockPath()
  const on = await otherNode()
  const [holder, ...rivals] = await Promise.all([Agent.start(), Agent.start({ on }), Agent.start({ on }), Agent.start()])
  const held = await holder?.acquire(path)
  // All of them have seen the last heartbeat, and know at the same time that it was the last. None was under way: it would be
  // written when the holder goes on, and the lock given to none of those that look right then.
  await held?.heartbeat()
  await stop(holder as Agent)
  expect(await Promise.all(rivals.map((rival) => rival.tryAcquire(path)))).toEqual([null, null, null])
  await outlast(BRISK.timeoutIntervalMs * 1.2)
  holder?.kill('SIGCONT')
  const results = await Promise.all(rivals.map((rival) => rival.tryAcquire(path)))
  expect(results.filter((lock) => lock !== null).length).toBe(1)
  expect(await held?.release()).toEqual({ lost: true })
  expect(await results.find((lock) => lock !== null)?.status()).toMatchObject({ held: true })
})

describe.each(['acquire', 'acquireSync'] as const)(
  'an event loop that is blocked for 3 × timeout-interval in the same tick in which %s returns',
  (how) => {
    test.each(['this node', 'another node'])(
      'costs the holder nothing, however closely a process on %s watches',
      async (where) => {
        const path = await lockPath()
        const on = where === 'another node' ? { on: await otherNode() } : {}
        const [holder, watcher] = await Promise.all([Agent.start(), Agent.start(on)])
        const ms = 3 * BRISK.timeoutIntervalMs
        const blocked = holder.says('blocked')
        const done = holder.ask('acquireAndBlock', { path, ms, how }) as Promise<{ handle: number; held: boolean }>
        await blocked
        expect(await watcher.refusal(path, 'acquire', ms - 500)).toMatchObject({ code: 'LOCK_TIMEOUT' })
        const { handle, held } = await done
        expect(held).toBe(true)
        expect(await holder.ask('status', { handle })).toMatchObject({ held: true, aborted: false, asserted: null })
        expect(await holder.ask('release', { handle })).toEqual({ lost: false })
      },
    )
  },
)

test('a blocked event loop loses nothing that is acquired, released and acquired again without a turn in between', async () => {
  const path = await lockPath()
  const on = await otherNode()
  const [holder, watcher] = await Promise.all([Agent.start(), Agent.start({ on })])
  for (let i = 0; i < 5; i++) await (await holder.acquireSync(path)).releaseSync()
  const held = await holder.acquireSync(path)
  const blocking = holder.ask('block', { ms: 2 * BRISK.timeoutIntervalMs })
  expect(await watcher.refusal(path, 'acquire', 1.5 * BRISK.timeoutIntervalMs)).toMatchObject({ code: 'LOCK_TIMEOUT' })
  await blocking
  expect(await held.status()).toMatchObject({ held: true, aborted: false })
})

test('the signal of a lock fires no later than the first turn of the event loop after the lease', async () => {
  const path = await lockPath()
  const holder = await Agent.start()
  const held = await holder.acquire(path)
  await stop(holder)
  await outlast(BRISK.timeoutIntervalMs + 200)
  const inFirstTurn = holder.ask('ping')
  holder.kill('SIGCONT')
  await inFirstTurn
  // What it is asked now it hears in a later turn, after the timers that were due.
  await holder.ask('ping')
  expect(held.told?.error).toMatchObject({ name: 'LockLostError' })
})

test('remainingMs counts down from the lease, and each heartbeat puts it up again', async () => {
  const path = await lockPath()
  const holder = await Agent.start()
  const held = await holder.acquire(path)
  let before = (await held.status()).remainingMs
  expect(before).toBeGreaterThan(0)
  expect(before).toBeLessThanOrEqual(LEASE_MS)
  let rises = 0
  while (rises < 2) {
    await outlast(50)
    const { remainingMs } = await held.status()
    expect(remainingMs).toBeGreaterThan(0)
    expect(remainingMs).toBeLessThanOrEqual(LEASE_MS)
    if (remainingMs > before) rises++
    before = remainingMs
  }
})

test('after a takeover and its release the lock directory holds one generation and the marker: nothing is left behind', async () => {
  const path = await lockPath()
  const [holder, taker] = await Promise.all([Agent.start(), Agent.start()])
  await holder.acquire(path)
  await holder.murder()
  const taken = await taker.acquire(path)
  await taken.release()
  await expect.poll(() => readdir(path), PATIENCE).toEqual(['.links', `${taken.token}.free`])
})
