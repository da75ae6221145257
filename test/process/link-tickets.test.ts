/**
 * Tickets order the waiters of a lock. Goal: it is left to the first, and a first one that is stopped, dead or another user's
 * delays the others by a grace and no more; tickets of any kind take, keep and lose no lock, and are in the way of nothing that is
 * done to one. Method: agents that wait, and tickets that were made by hand.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createLocker } from '../../dist/index.js'
import { Agent, type RemoteLock } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'
import { GRACE_MS, PATIENCE, plant, tickets, TOLD_MS_MAX, TURNS, UNHURRIED } from './support/waiting.js'

const ROUNDS = 9
/** More tickets than are listed again and again: `CROWD_MIN` in src/waiting/tickets.ts. */
const CROWD = 4200

const LINKED = KINDS.filter(({ locker }) => (locker as { lockType?: string }).lockType !== 'advisory')
const agents = (count: number, options = {}) => Promise.all(Array.from({ length: count }, () => Agent.start(options)))

interface Queued {
  agent: Agent
  lock: Promise<RemoteLock>
}

/** They wait, and are returned in the order in which the lock will be left to them. */
async function queue(path: string, waiters: readonly Agent[], observer: Agent): Promise<Queued[]> {
  const before = (await observer.inspect(path)).waiters.length
  const waiting = await Promise.all(waiters.map(async (agent) => ({ agent, lock: (await agent.wait(path, 60_000)).lock })))
  await vi.waitUntil(async () => (await observer.inspect(path)).waiters.length === before + waiters.length, PATIENCE)
  const order = (await observer.inspect(path)).waiters.map(({ pid }) => pid)
  return waiting.toSorted((one, other) => order.indexOf(one.agent.pid) - order.indexOf(other.agent.pid))
}

/** Which of them has it next, and how long after the release. */
async function next(held: RemoteLock, waiting: readonly Queued[]) {
  const fromMs = performance.now()
  const released = held.release()
  const [lock, index] = await Promise.race(waiting.map(async ({ lock }, index) => [await lock, index] as const))
  const tookMs = performance.now() - fromMs
  await released
  return { lock, index, tookMs, left: waiting.filter((_, place) => place !== index) }
}

describe.each(LINKED)('$kind', ({ locker }) => {
  test('a waiter leaves a free lock to those that came before, for a grace each, and says how many there are when its patience ends', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const [holder, waiter, ...before] = (await agents(4, { locker: { ...locker, ...UNHURRIED } })) as [Agent, Agent, ...Agent[]]
    // They live, have waited for longer, and do not take it.
    for (const agent of before) await (await agent.acquire(path)).release()
    plant(
      path,
      sessionsIn(folder).map((session, index) => `${index + 1}.${session}`),
    )
    const held = await holder.acquire(path)
    const refusal = await waiter.refusal(path, 'acquire', 3000)
    expect(refusal.message).toContain(`held by process ${holder.pid} `)
    expect(refusal.message).toContain('waiters before this one: 2')
    // A ticket that was given up is removed in the background.
    await vi.waitUntil(() => tickets(path).length === before.length, PATIENCE)
    const waiting = await queue(path, [waiter], holder)
    const { tookMs } = await next(held, waiting)
    expect(tookMs).toBeGreaterThanOrEqual(2 * GRACE_MS)
  })

  test('a first waiter that is stopped delays the others by no more than the grace, and keeps its place', async () => {
    const path = join(await temporaryFolder(), 'lock')
    // Its heartbeat stands still as well: not for so long that it is convicted.
    const [one, ...waiters] = (await agents(3, { locker: { ...locker, ...UNHURRIED } })) as [Agent, ...Agent[]]
    const held = await one.acquire(path)
    const [stopped, other] = (await queue(path, waiters, one)) as [Queued, Queued]
    stopped.agent.kill('SIGSTOP')
    const { tookMs, last } = await takeTurns(path, { held, holder: one, waiting: other })
    expect(Math.min(...tookMs)).toBeLessThan(TOLD_MS_MAX)
    expect((await last.holder.inspect(path)).waiters[0]?.pid).toBe(stopped.agent.pid)
    stopped.agent.kill('SIGCONT')
    const { lock, left } = await next(last.held, [stopped, last.waiting])
    expect((await next(lock, left)).left).toEqual([])
  })

  test('the ticket of a first waiter that was killed is removed by the next', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const [holder, ...waiters] = (await agents(3, { locker })) as [Agent, ...Agent[]]
    const held = await holder.acquire(path)
    const [first, second] = (await queue(path, waiters, holder)) as [Queued, Queued]
    first.lock.catch(() => {})
    await first.agent.murder()
    await vi.waitUntil(() => tickets(path).length === 1, PATIENCE)
    expect((await holder.inspect(path)).waiters.map(({ pid }) => pid)).toEqual([second.agent.pid])
    await held.release()
    expect((await second.lock).token).toBeGreaterThan(held.token)
  })

  test('a first waiter that was killed delays the next by no more than the grace', async () => {
    const path = join(await temporaryFolder(), 'lock')
    let [holder, other] = (await agents(2, { locker: { ...locker, ...UNHURRIED } })) as [Agent, Agent]
    let held = await holder.acquire(path)
    const tookMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      // Of a process that is gone, which no waiter has found out yet.
      plant(path, [`0.ghost-1-0123456789abcde${round}`])
      const waiting = { agent: other, lock: (await other.wait(path, 60_000)).lock }
      await vi.waitUntil(() => tickets(path).some((name) => name.includes(`-${other.pid}-`)), PATIENCE)
      const handed = await next(held, [waiting])
      tookMs.push(handed.tookMs)
      ;[held, holder, other] = [handed.lock, other, holder]
    }
    expect(Math.min(...tookMs)).toBeLessThan(TOLD_MS_MAX)
  })

  test('a ticket of a living process keeps no lock from a call that does not wait', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const [living, newcomer] = (await agents(2, { locker })) as [Agent, Agent]
    await (await living.acquire(path)).release()
    plant(path, [`1.${sessionIn(folder)}`])
    const lock = await newcomer.tryAcquire(path)
    expect(lock).not.toBeNull()
    await lock?.release()
    // In a blocking call not even right after a release of its own.
    expect(await newcomer.tryAcquireSync(path)).not.toBeNull()
  })

  test('since when a lock is held does not change when waiters come', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const [holder, ...waiters] = (await agents(3, { locker })) as [Agent, ...Agent[]]
    await holder.acquire(path)
    const since = async () => {
      const inspection = await holder.inspect(path)
      return inspection.state === 'held' ? inspection.holder.since : inspection.state
    }
    // What lay below it is removed first.
    await vi.waitUntil(() => readdirSync(path).length === 2, PATIENCE)
    const before = await since()
    expect(before).toEqual(expect.any(Number))
    await queue(path, waiters, holder)
    expect(await since()).toBe(before)
  })

  test('prune leaves a lock that is waited for, and takes the tickets of the dead along', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const living = await Agent.start({ locker: { ...locker, ...UNHURRIED } })
    await (await living.acquire(path)).release()
    plant(path, [`1.${sessionIn(folder)}`])
    expect(locktester('prune', '--older-than', '0', folder)).toContain('kept')
    expect(readdirSync(path)).toContain('.wait')
    await living.ask('close')
    plant(path, ['2.ghost-1-0123456789abcdef'])
    locktester('prune', '--older-than', '0', folder)
    expect(readdirSync(folder).filter((name) => name === 'lock' || name.startsWith('.mountlock-wait'))).toEqual([])
  })

  test('a crowd of tickets is moved out of the way as it is, and the waiter that finds it makes its own again', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const [holder, waiter] = (await agents(2, { locker: { ...locker, ...UNHURRIED } })) as [Agent, Agent]
    const held = await holder.acquire(path)
    const crowd = Array.from({ length: CROWD }, (_, index) => `1.ghost-${index}-0123456789abcdef`)
    plant(path, crowd)
    expect((await holder.inspect(path)).waiters).toEqual([])
    const { lock } = await waiter.wait(path, 120_000)
    await vi.waitUntil(() => tickets(path).length === 1, { timeout: 50_000 })
    await held.release()
    expect((await lock).token).toBeGreaterThan(held.token)
  })

  test('a file of a stranger among the tickets is named, and stays', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const agent = await Agent.start({ locker })
    await (await agent.acquire(path)).release()
    await agent.ask('close')
    plant(path, ['notes.txt'])
    expect(locktester('prune', '--older-than', '0', folder)).toContain('.wait')
    expect(readdirSync(join(path, '.wait'))).toEqual(['notes.txt'])
    expect(await (await Agent.start({ locker })).tryAcquire(path)).not.toBeNull()
  })

  test('a free lock with tickets of the dead becomes one of another type', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const agent = await Agent.start({ locker })
    await (await agent.acquire(path)).release()
    await agent.ask('close')
    plant(path, ['1.ghost-1-0123456789abcdef'])
    const other = await Agent.start({ locker: { lockType: 'advisory' } })
    expect(await other.ask('tryAcquire', { path })).not.toBeNull()
    expect(statSync(path).isFile()).toBe(true)
  })
})

test.each(LINKED.filter(({ kind }) => kind !== 'rename'))(
  'a process that comes back to a $kind lock in a tight loop stands back each time that it has seen tickets, for a grace each',
  async ({ locker }) => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const [living, looping] = (await agents(2, { locker: { ...locker, ...UNHURRIED } })) as [Agent, Agent]
    await (await living.acquire(path)).release()
    // The owner of the first lives, and does not take the lock: so all of the graces go by.
    plant(path, [
      `1.${sessionIn(folder)}`,
      ...Array.from({ length: TURNS - 1 }, (_, index) => `2.other-1-0123456789abcde${index}`),
    ])
    writeFileSync(join(folder, 'count'), '0')
    const times = 20
    const fromMs = performance.now()
    await looping.ask('increment', { path, file: join(folder, 'count'), times })
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual((times - 1) * TURNS * GRACE_MS)
  },
)

test('lockers of one process that take a lock in turns stand back for other processes as a single one does', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'lock')
  const living = await Agent.start({ locker: UNHURRIED })
  await (await living.acquire(path)).release()
  // The owner of the first lives, and does not take the lock: so all of the graces go by.
  plant(path, [`1.${sessionIn(folder)}`, ...Array.from({ length: TURNS - 1 }, (_, index) => `2.other-1-0123456789abcde${index}`)])
  const turns = 20
  const takeTurns = async () => {
    const locker = createLocker(UNHURRIED)
    onTestFinished(() => locker.close())
    for (let turn = 0; turn < turns; turn++) {
      // For longer than a grace: so its own last release is long ago when it comes back.
      await locker.withLock(path, () => setTimeout(GRACE_MS + 1))
    }
  }
  const fromMs = performance.now()
  await Promise.all([takeTurns(), takeTurns()])
  expect(performance.now() - fromMs).toBeGreaterThanOrEqual((2 * turns - 4) * TURNS * GRACE_MS)
})

test.runIf(process.getuid?.() === 0)(
  'a first waiter of another user in a sticky directory delays the others by no more than the grace',
  async () => {
    const folder = await temporaryFolder(0o1777)
    chmodSync(folder, 0o1777)
    const path = join(folder, 'lock')
    const { fixtures } = await installation()
    const start = (uid: number) => Agent.start({ uid, fixtures })
    const [holder, second] = (await Promise.all([start(4241), start(4241)])) as [Agent, Agent]
    const held = await holder.acquire(path)
    // Of a process of another user that is gone, whose ticket this one may not remove.
    spawnSync('setpriv', [
      '--reuid=4242',
      '--regid=4242',
      '--clear-groups',
      'sh',
      '-c',
      `mkdir -m 1777 ${path}/.wait; : >${path}/.wait/0.ghost-1-0123456789abcdef`,
    ])
    expect(tickets(path)).toEqual(['0.ghost-1-0123456789abcdef'])
    const waiting = { agent: second, lock: (await second.wait(path, 60_000)).lock }
    const { tookMs, last } = await takeTurns(path, { held, holder, waiting })
    last.waiting.lock.catch(() => {})
    expect(Math.min(...tookMs)).toBeLessThan(TOLD_MS_MAX)
    expect(tickets(path)).toContain('0.ghost-1-0123456789abcdef')
  },
)

interface Turn {
  held: RemoteLock
  holder: Agent
  waiting: Queued
}

/** Two processes hand it to each other, behind a first one that does not take it. */
async function takeTurns(path: string, first: Turn): Promise<{ tookMs: number[]; last: Turn }> {
  const tookMs: number[] = []
  let turn = first
  for (let round = 0; round < ROUNDS; round++) {
    await vi.waitUntil(() => tickets(path).length === 2, PATIENCE)
    const handed = await next(turn.held, [turn.waiting])
    tookMs.push(handed.tookMs)
    const again = { agent: turn.holder, lock: (await turn.holder.wait(path, 60_000)).lock }
    turn = { held: handed.lock, holder: turn.waiting.agent, waiting: again }
  }
  return { tookMs, last: turn }
}

const sessionsIn = (folder: string) =>
  readdirSync(folder).flatMap((name) => (name.startsWith('.mountlock-41c29-') ? [name.slice(17)] : []))
const sessionIn = (folder: string) => sessionsIn(folder)[0]

function locktester(...args: string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, ['bin/locktester', ...args], { encoding: 'utf8' })
  return stdout + stderr
}
