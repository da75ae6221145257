/**
 * Holders that die. Goal: a dead holder's lock goes to a process that wants it, at once on its own host and after one
 * timeout-interval of watching elsewhere; and no live process is ever taken for dead. Method: real processes are killed,
 * kept as zombies, replaced by others with the same process id, and hidden by /proc.
 */

import { execFileSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent, BRISK, FIXTURES, SILENCE_MS } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'
import { otherNode, privateMounts, type Space } from './support/space.js'
import { outlast, processState } from './support/time.js'
import { PATIENCE } from './support/waiting.js'

const SLOW = { refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }

async function lockPath(mode?: number): Promise<string> {
  return join(await temporaryFolder(mode), 'lock')
}

/** What is left of a heartbeat interval may already be over when the watching begins. */
const earliestMs = SILENCE_MS - BRISK.refreshRateMs
const NOBODY = 65534

/** Starts a process that has, inside of a node, exactly that process id, and does nothing. */
async function impostor(node: Space, pid: number): Promise<void> {
  const found = await node.run(
    'echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid; sleep 600 > /dev/null 2>&1 & echo $!',
    String(pid),
  )
  expect(Number(found)).toBe(pid)
}

describe.each(KINDS)('$kind', ({ locker }) => {
  test('the lock of a killed process goes to the next acquirer on the same host at once, whatever the intervals', async () => {
    const path = await lockPath()
    const [holder, next] = await Promise.all([
      Agent.start({ locker: { ...locker, ...SLOW } }),
      Agent.start({ locker: { ...locker, ...SLOW } }),
    ])
    const lost = await holder.acquire(path)
    expect(await next.tryAcquire(path)).toBeNull()
    await holder.murder()
    const taken = await next.tryAcquire(path)
    expect(taken?.token).toBeGreaterThan(lost.token)
  })

  test('a process on the same host that was already waiting gets the lock of a killed process within a second', async () => {
    const path = await lockPath()
    const [holder, waiter] = await Promise.all([
      Agent.start({ locker: { ...locker, ...SLOW } }),
      Agent.start({ locker: { ...locker, ...SLOW } }),
    ])
    await holder.acquire(path)
    const waiting = await waiter.wait(path, 20_000)
    await holder.murder()
    const from = performance.now()
    await waiting.lock
    expect(performance.now() - from).toBeLessThan(1000)
  })

  test('another node gets the lock of a killed process after watching it for one timeout-interval, not before', async () => {
    const path = await lockPath()
    const node = await otherNode()
    const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker, on: node })])
    const lost = await holder.acquire(path)
    await holder.murder()
    const from = performance.now()
    const waiting = await waiter.wait(path, 20_000)
    // Before that it starts its heartbeat thread, which takes what a busy machine lets it take.
    const sinceSeen = performance.now()
    const taken = await waiting.lock
    expect(taken.token).toBeGreaterThan(lost.token)
    expect(performance.now() - from).toBeGreaterThan(SILENCE_MS)
    // One interval of watching, the margin, a last poll, and time for a busy machine.
    expect(performance.now() - sinceSeen).toBeLessThan(SILENCE_MS + 2500)
  })

  test('a process on another node that was already waiting gets it one timeout-interval after the last heartbeat', async () => {
    const path = await lockPath()
    const node = await otherNode()
    const [holder, waiter] = await Promise.all([Agent.start({ locker }), Agent.start({ locker, on: node })])
    const held = await holder.acquire(path)
    const { lock: waiting } = await waiter.wait(path, 20_000)
    await outlast(BRISK.refreshRateMs * 2)
    await held.heartbeat()
    const from = performance.now()
    await holder.murder()
    await waiting
    expect(performance.now() - from).toBeGreaterThan(earliestMs)
    expect(performance.now() - from).toBeLessThan(SILENCE_MS + 2500)
  })

  test('a one-shot attempt remembers what it saw, so that a later one on another node can take over', async () => {
    const path = await lockPath()
    const node = await otherNode()
    const [holder, rival] = await Promise.all([Agent.start({ locker }), Agent.start({ locker, on: node })])
    await holder.acquire(path)
    await holder.murder()
    expect(await rival.tryAcquire(path)).toBeNull()
    await outlast(SILENCE_MS + 100)
    expect(await rival.tryAcquire(path)).not.toBeNull()
  })
})

test('a zombie does not hold a lock: its parent has not looked after it, but it is dead', async () => {
  const path = await lockPath()
  // The shell starts the agent, then becomes a process that never waits for its children.
  const negligent = ['sh', '-c', 'exec 3<&0; "$@" <&3 & exec sleep 600', 'sh']
  const [holder, next] = await Promise.all([Agent.start({ locker: SLOW, under: negligent }), Agent.start({ locker: SLOW })])
  await holder.acquire(path)
  holder.kill('SIGKILL')
  await processState(holder.pid, 'Z')
  expect(await next.tryAcquire(path)).not.toBeNull()
})

test('a process of which only the first thread has ended shows as a zombie, and holds its lock', async () => {
  const path = await lockPath()
  const library = join(await temporaryFolder(), 'first-thread-ends.so')
  execFileSync('gcc', ['-shared', '-fPIC', '-pthread', '-o', library, join(FIXTURES, 'first-thread-ends.c'), '-ldl'])
  const [holder, rival] = await Promise.all([
    Agent.start({ locker: SLOW, env: { LD_PRELOAD: library } }),
    Agent.start({ locker: SLOW }),
  ])
  await processState(holder.pid, 'Z')
  const held = await holder.acquire(path)
  expect(await rival.tryAcquire(path)).toBeNull()
  expect(await held.status()).toMatchObject({ held: true })
  await holder.murder()
  expect(await rival.tryAcquire(path)).not.toBeNull()
})

test('a process that got the process id of a dead holder does not hold its lock', async () => {
  const path = await lockPath()
  const node = await otherNode()
  const [holder, next] = await Promise.all([Agent.start({ locker: SLOW, on: node }), Agent.start({ locker: SLOW, on: node })])
  const pid = (await holder.ask('ping')) as number
  await holder.acquire(path)
  await holder.murder()
  await impostor(node, pid)
  expect(await next.tryAcquire(path)).not.toBeNull()
})

test('a process with the same process id in another namespace does not keep a dead holder alive', async () => {
  const path = await lockPath()
  const [here, there] = await Promise.all([otherNode(), otherNode()])
  const [holder, waiter] = await Promise.all([Agent.start({ on: here }), Agent.start({ on: there })])
  const pid = (await holder.ask('ping')) as number
  await holder.acquire(path)
  await holder.murder()
  if ((await waiter.ask('ping')) !== pid) await impostor(there, pid)
  await waiter.acquire(path, 20_000)
})

test('a holder whose process id no process has in the namespace of the next acquirer is not taken for dead', async () => {
  const path = await lockPath()
  const [here, there] = await Promise.all([otherNode(), otherNode()])
  // A few numbers ahead of all processes over there.
  await here.run('echo 20000 > /proc/sys/kernel/ns_last_pid')
  const [holder, rival] = await Promise.all([Agent.start({ on: here }), Agent.start({ on: there })])
  const held = await holder.acquire(path)
  expect(await rival.refusal(path, 'acquire', 2 * BRISK.timeoutIntervalMs)).toMatchObject({ code: 'LOCK_TIMEOUT' })
  expect(await held.status()).toMatchObject({ held: true, aborted: false })
})

describe('where /proc hides the processes of other users (hidepid=2)', () => {
  async function hiddenHolder(holderLocker: object) {
    const path = await lockPath(0o1777)
    const space = await privateMounts()
    await space.run('mount -t proc -o hidepid=2 proc /proc')
    const { fixtures } = await installation()
    const [holder, rival] = await Promise.all([
      Agent.start({ on: space, locker: holderLocker }),
      Agent.start({ on: space, uid: NOBODY, fixtures }),
    ])
    return { path, holder, rival }
  }

  test('a live holder of another user is not taken for dead', async () => {
    const { path, holder, rival } = await hiddenHolder({})
    const held = await holder.acquire(path)
    expect(await rival.refusal(path, 'acquire', 2 * BRISK.timeoutIntervalMs)).toMatchObject({ code: 'LOCK_TIMEOUT' })
    expect(await held.status()).toMatchObject({ held: true, aborted: false })
  })

  test('a killed holder of another user is taken over at once', async () => {
    const { path, holder, rival } = await hiddenHolder(SLOW)
    await holder.acquire(path)
    await holder.murder()
    expect(await rival.tryAcquire(path)).not.toBeNull()
  })
})

test('the session file of a killed process is removed by processes that still work in the directory', async () => {
  const folder = await temporaryFolder()
  const [victim, survivor] = await Promise.all([Agent.start(), Agent.start()])
  await victim.acquire(join(folder, 'one'))
  await survivor.acquire(join(folder, 'two'))
  const name = (await readdir(folder)).find((entry) => entry.includes(`-${victim.pid}-`))
  expect(name).toBeDefined()
  await victim.murder()
  await expect.poll(() => readdir(folder), PATIENCE).not.toContain(name)
})
