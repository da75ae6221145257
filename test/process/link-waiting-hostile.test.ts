/**
 * Waiting where things change under it. Goal: a waiter is still woken, is kept waiting by no ticket for longer than some graces, is
 * not in its own way, and leaves nothing behind. Method: agents that wait, and directories, tickets and files put there by hand.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createLocker, type LockerOptions } from '../../dist/index.js'
import { Agent, BRISK, type RemoteLock } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'
import { GRACE_MS, PATIENCE, tickets, TOLD_MS_MAX, TURNS, UNHURRIED } from './support/waiting.js'

const ROUNDS = 5
/** Timers and files of the session, of its patrol, and of the test that asks. */
const OWN_MAX = 6

const sessionsIn = (folder: string) =>
  readdirSync(folder).flatMap((name) => (name.startsWith('.mountlock-41c29-') ? [name.slice(17)] : []))
const agents = (count: number, options = {}) => Promise.all(Array.from({ length: count }, () => Agent.start(options)))

function newLocker(options: LockerOptions = {}) {
  const locker = createLocker({ ...BRISK, ...options })
  onTestFinished(() => locker.close())
  return locker
}

/** How long the waiter takes to have it, in milliseconds. */
async function handOver(held: RemoteLock, waiting: Promise<RemoteLock>): Promise<number> {
  const fromMs = performance.now()
  const released = held.release()
  const lock = await waiting
  const tookMs = performance.now() - fromMs
  await Promise.all([released, lock.release()])
  return tookMs
}

// A symbolic link is waited for as a hard link is.
describe.each(KINDS.filter(({ kind }) => kind !== 'symlink'))('$kind', ({ locker }) => {
  test('a release wakes a waiter also in a directory that was removed and made again under it', async () => {
    const folder = await temporaryFolder()
    const [first, second, waiter] = (await agents(3, { locker: { ...locker, ...UNHURRIED } })) as [Agent, Agent, Agent]
    const tookMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const path = join(folder, `lock-${round}`)
      await first.acquire(path)
      const { lock } = await waiter.wait(path, 60_000)
      await vi.waitUntil(() => tickets(path).length === 1, PATIENCE)
      waiter.kill('SIGSTOP')
      rmSync(path, { recursive: true })
      const held = await second.acquire(path)
      waiter.kill('SIGCONT')
      // It has found out which holder is in its way now.
      await vi.waitUntil(() => tickets(path).length === 1, PATIENCE)
      tookMs.push(await handOver(held, lock))
    }
    expect(Math.min(...tookMs)).toBeLessThan(TOLD_MS_MAX)
  })

  test('a release wakes a waiter also of a lock that is called like a generation, and whose directory was touched', async () => {
    const folder = await temporaryFolder()
    const [holder, waiter] = (await agents(2, { locker })) as [Agent, Agent]
    const tookMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const path = join(folder, `1234567890123456789${round}`)
      const held = await holder.acquire(path)
      const { lock } = await waiter.wait(path, 60_000)
      await vi.waitUntil(() => tickets(path).length === 1, PATIENCE)
      utimesSync(path, 1, 1)
      await waiter.ask('ping')
      tookMs.push(await handOver(held, lock))
    }
    expect(Math.min(...tookMs)).toBeLessThan(TOLD_MS_MAX)
  })

  test('a locker that is closed while it waits has left nothing in the lock when that is done', async () => {
    const path = join(await temporaryFolder(), 'lock')
    await (await Agent.start({ locker })).acquire(path)
    for (let round = 0; round < ROUNDS; round++) {
      const waiting = newLocker(locker)
      const refused = expect(waiting.acquire(path)).rejects.toThrowError(/locker is closed/)
      await vi.waitUntil(() => tickets(path).length === 1, PATIENCE)
      await waiting.close()
      expect(readdirSync(path)).not.toContain('.wait')
      await refused
    }
  })

  test('an acquisition that is given up at any of its steps leaves no ticket, no watch, no timer and no open file', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    await (await Agent.start({ locker })).acquire(path)
    const waiter = newLocker({ ...locker, ...UNHURRIED })
    const giveUp = async (afterMs: number, turns: number) => {
      const controller = new AbortController()
      const refused = expect(waiter.acquire(path, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORT_ERR' })
      if (afterMs > 0) await setTimeout(afterMs)
      for (let turn = 0; turn < turns; turn++) await setImmediate()
      controller.abort()
      await refused
    }
    const left = () => ({
      watches: process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length,
      timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
      files: readdirSync('/proc/self/fd').filter((fd) => leadsTo(fd)?.startsWith(folder)).length,
    })
    const before = left()
    await giveUp(300, 0)
    for (let turns = 0; turns < 60; turns++) await giveUp(0, turns)
    for (let ms = 1; ms < 40; ms += 3) await giveUp(ms, 0)
    await vi.waitUntil(() => !readdirSync(path).includes('.wait'), PATIENCE)
    await vi.waitUntil(() => {
      const { watches, timers, files } = left()
      return watches === before.watches && timers <= before.timers + OWN_MAX && files <= OWN_MAX
    }, PATIENCE)
  })
})

test.each([
  { has: { lockType: 'renamebased' }, wants: { lockType: 'linkbased' } },
  { has: { lockType: 'linkbased' }, wants: { lockType: 'renamebased' } },
] as const)('a waiter for a change from $has.lockType to $wants.lockType is not in its own way', async ({ has, wants }) => {
  const path = join(await temporaryFolder(), 'lock')
  const agent = await Agent.start({ locker: has })
  await (await agent.acquire(path)).release()
  await agent.ask('close')
  const silly = join(path, '.nfs0000000000000184')
  writeFileSync(silly, '')
  const waiter = await Agent.start({ locker: wants })
  const { lock } = await waiter.wait(path, 60_000)
  // Time for some tries.
  await setTimeout(700)
  rmSync(silly)
  expect((await lock).token).toBeGreaterThan(0n)
})

test.runIf(process.getuid?.() === 0)(
  'a process that comes back in a tight loop stands back also behind tickets of the dead that it may not remove',
  async () => {
    const folder = await temporaryFolder(0o1777)
    chmodSync(folder, 0o1777)
    const path = join(folder, 'lock')
    const { fixtures } = await installation()
    const start = () => Agent.start({ uid: 4241, fixtures, locker: UNHURRIED })
    const [living, looping] = (await Promise.all([start(), start()])) as [Agent, Agent]
    await (await living.acquire(path)).release()
    const [alive] = sessionsIn(folder)
    const dead = Array.from({ length: 9 }, (_, index) => `0.ghost-1-0123456789abcde${index}`)
    // The first one after those lives, and does not take the lock: so all of their graces go by.
    const others = Array.from({ length: TURNS - 1 }, (_, index) => `9.other-1-0123456789abcde${index}`)
    const script = `mkdir -m 1777 ${path}/.wait; cd ${path}/.wait; touch ${dead.join(' ')} 1.${alive} ${others.join(' ')}`
    spawnSync('setpriv', ['--reuid=4242', '--regid=4242', '--clear-groups', 'sh', '-c', script])
    expect(tickets(path)).toHaveLength(dead.length + TURNS)
    const file = join(folder, 'count')
    writeFileSync(file, '0')
    chmodSync(file, 0o666)
    const times = 16
    const fromMs = performance.now()
    await looping.ask('increment', { path, file, times })
    // It asks four of them each time.
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual((times - 4) * TURNS * GRACE_MS)
    expect(tickets(path)).toHaveLength(dead.length + TURNS)
  },
)

function leadsTo(fd: string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return null // that of the listing
  }
}
