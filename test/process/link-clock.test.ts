/**
 * Clocks that lie. Goal: neither a live lock taken for dead, nor a lock given up, because two nodes disagree about what
 * time it is. Method: libfaketime gives one process a wall clock of its own, hours and a year off; the monotonic clock
 * and the file server's time stamps stay true, as on a real share.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent, BRISK, SILENCE_MS } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { otherNode, privateMounts, type Space } from './support/space.js'
import { PATIENCE } from './support/waiting.js'

/** Only the wall clock is faked. Not the wrapper of that name: it leaves semaphores behind when it is killed. */
const FAKE_WALL_CLOCK = {
  LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1',
  DONT_FAKE_MONOTONIC: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  NO_FAKE_STAT: '1',
  FAKETIME_NO_CACHE: '1',
}
const skewed = (by: string) => ({ env: { ...FAKE_WALL_CLOCK, FAKETIME: by } })

/** The library leaves its shared memory behind when a process is killed: give it one that vanishes. */
async function withOwnMemory(space: Space): Promise<Space> {
  await space.run('mount -t tmpfs tmpfs /dev/shm')
  return space
}
const here = async () => await withOwnMemory(await privateMounts())
const there = async () => await withOwnMemory(await otherNode())

describe.each(['+11h', '-11h', '+1y', '-1y'])('with a clock that is %s off', (by) => {
  test('a holder is not taken over while it lives, loses nothing, and is excluded as any other', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const holderOn = await here()
    const [holder, rival] = await Promise.all([
      Agent.start({ on: holderOn, ...skewed(by) }),
      Agent.start({ on: await otherNode() }),
    ])
    const offMs = ((await holder.ask('now')) as number) - ((await rival.ask('now')) as number)
    expect(Math.abs(offMs)).toBeGreaterThan(10 * 3_600_000)
    expect(Math.sign(offMs)).toBe(by.startsWith('-') ? -1 : 1)

    const held = await holder.acquire(path)
    expect(await rival.refusal(path, 'acquire', 2 * BRISK.timeoutIntervalMs)).toMatchObject({ code: 'LOCK_TIMEOUT' })
    expect(await held.status()).toMatchObject({ held: true, aborted: false, asserted: null })
    expect(await held.release()).toEqual({ lost: false })
    const next = await rival.acquire(path)
    expect(next.token).toBeGreaterThan(held.token)
    expect(await holder.tryAcquire(path)).toBeNull()
  })

  test('a waiter takes over neither earlier nor later than with a true one', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const locker = { useSymlinks: by.endsWith('y') }
    const on = await there()
    const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker, on, ...skewed(by) })])
    const held = await holder.acquire(path)
    expect(await waiter.refusal(path, 'acquire', 1.5 * BRISK.timeoutIntervalMs)).toMatchObject({ code: 'LOCK_TIMEOUT' })
    expect(await held.status()).toMatchObject({ held: true, aborted: false })
    await held.heartbeat()
    const from = performance.now()
    await holder.murder()
    await waiter.acquire(path, 20_000)
    expect(performance.now() - from).toBeGreaterThan(SILENCE_MS - BRISK.refreshRateMs)
    expect(performance.now() - from).toBeLessThan(SILENCE_MS + 2500)
  })
})

/** A clock that is set while the process runs: libfaketime reads it from a file. */
async function steppedClock() {
  const file = join(await temporaryFolder(), 'clock')
  await writeFile(file, '+0')
  const env = { ...FAKE_WALL_CLOCK, FAKETIME_TIMESTAMP_FILE: file }
  return { env, step: (by: string) => writeFile(file, by) }
}

test.each(['+3h', '-3h'])(
  'a waiter whose clock is set by %s while it watches does not take over from a live holder',
  async (by) => {
    const path = join(await temporaryFolder(), 'lock')
    const on = await otherNode()
    const { env, step } = await steppedClock()
    const [holder, waiter] = await Promise.all([Agent.start(), Agent.start({ on, env })])
    const held = await holder.acquire(path)
    const waiting = waiter.refusal(path, 'acquire', 2 * BRISK.timeoutIntervalMs)
    const before = (await waiter.ask('now')) as number
    await step(by)
    const offBy = async () => Math.abs(((await waiter.ask('now')) as number) - before)
    await expect.poll(offBy, PATIENCE).toBeGreaterThan(3_600_000)
    expect(await waiting).toMatchObject({ code: 'LOCK_TIMEOUT' })
    expect(await held.status()).toMatchObject({ held: true, aborted: false })
  },
)

test('a holder whose clock is set back goes on holding', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const { env, step } = await steppedClock()
  const [holder, rival] = await Promise.all([Agent.start({ on: await here(), env }), Agent.start({ on: await otherNode() })])
  const held = await holder.acquire(path)
  await step('-3h')
  expect(await rival.refusal(path, 'acquire', 2 * BRISK.timeoutIntervalMs)).toMatchObject({ code: 'LOCK_TIMEOUT' })
  expect(await held.status()).toMatchObject({ held: true, aborted: false })
})

test('a holder whose clock jumps ahead of its own time, as after a pause of the whole machine, gives the lock up, and says so', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const { env, step } = await steppedClock()
  const [holder, rival] = await Promise.all([Agent.start({ on: await here(), env }), Agent.start({ on: await otherNode() })])
  const held = await holder.acquire(path)
  await step('+3h')
  const { error } = await held.lost()
  expect(error).toMatchObject({ name: 'LockLostError', reason: 'retired' })
  expect(await held.release()).toEqual({ lost: true })
  expect((await rival.acquire(path)).token).toBeGreaterThan(held.token)
})
