/**
 * Mounts that do not answer. Goal: a dead mount stops neither the event loop nor the locks of another mount; a waiter
 * can give up, and leaves nothing held when the server goes on; and the process can end. Method: sshfs is stopped with
 * SIGSTOP: every operation then waits for ever, but can be killed, as on a hard NFS mount.
 */

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent, LEASE_MS, refusalOf } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { sshShare } from './support/ssh-share.js'

describe.each([
  { kind: 'hard link', locker: { useSymlinks: false } },
  { kind: 'symlink', locker: { useSymlinks: true } },
])('$kind', ({ locker }) => {
  test('two processes exclude each other on the mount while it answers', async () => {
    const { space, path } = await sshShare()
    const lock = join(path, 'lock')
    const [one, other] = await Promise.all([Agent.start({ locker, on: space }), Agent.start({ locker, on: space })])
    let token = 0n
    for (let round = 0; round < 3; round++) {
      const held = await one.acquire(lock)
      expect(await other.tryAcquire(lock)).toBeNull()
      expect(held.token).toBeGreaterThan(token)
      await held.release()
      const next = await other.acquire(lock)
      expect(next.token).toBeGreaterThan(held.token)
      token = next.token
      await next.release()
    }
  })

  test('a mount that hangs stops neither the event loop nor the locks of another mount, and its holder is told in time', async () => {
    const { space, path, hang, goOn } = await sshShare()
    const elsewhere = join(await temporaryFolder(), 'lock')
    const agent = await Agent.start({ locker, on: space })
    const there = await agent.acquire(join(path, 'lock'))
    const here = await agent.acquire(elsewhere)
    await hang()
    const from = performance.now()
    // As many calls as libuv has threads for, and more.
    const stuck = Array.from({ length: 8 }, (_, i) => agent.refusal(join(path, `lock ${i}`), 'acquire', 30_000))
    const { error } = await there.lost()
    expect(error).toMatchObject({ code: 'LOCK_LOST' })
    expect(performance.now() - from).toBeLessThan(LEASE_MS + 1500)

    for (let round = 0; round < 5; round++) {
      const lock = await agent.acquire(`${elsewhere} ${round}`)
      expect(await lock.release()).toEqual({ lost: false })
    }
    expect(await here.status()).toMatchObject({ held: true, aborted: false })
    expect(await here.release()).toEqual({ lost: false })
    goOn()
    for (const outcome of stuck) outcome.catch(() => {}) // acquired, now that it goes on
  })

  test('waitMs and an AbortSignal are honoured while the mount hangs', async () => {
    const { space, path, hang } = await sshShare()
    const agent = await Agent.start({ locker, on: space })
    await (await agent.acquire(join(path, 'known'))).release()
    await hang()
    const from = performance.now()
    const impatient = agent.refusal(join(path, 'known'), 'acquire', 2000)
    const aborted = agent.acquireAbortable(join(path, 'other'))
    const refused = refusalOf(aborted.lock)
    await agent.ask('ping')
    await aborted.abort()
    expect(await refused).toMatchObject({ code: 'ABORT_ERR' })
    expect(performance.now() - from).toBeLessThan(3000)
    expect(await impatient).toMatchObject({ code: 'LOCK_TIMEOUT', message: expect.stringMatching(/does the mount hang/) })
    expect(performance.now() - from).toBeGreaterThan(1900)
    expect(performance.now() - from).toBeLessThan(4000)
  })

  test('a call that was given up on undoes itself when the mount answers again', async () => {
    const { space, path, hang, goOn } = await sshShare()
    const lock = join(path, 'lock')
    const [hasty, next] = await Promise.all([Agent.start({ locker, on: space }), Agent.start({ locker, on: space })])
    // Known to be free by its own last release, so that the very first call is the one that acquires.
    await (await hasty.acquire(lock)).release()
    await hang()
    const attempt = hasty.acquireAbortable(lock)
    const refused = refusalOf(attempt.lock)
    await hasty.ask('ping')
    await attempt.abort()
    expect(await refused).toMatchObject({ code: 'ABORT_ERR' })
    goOn()
    // The hasty one lives and keeps its session alive: no process would ever take from it what it held without knowing.
    const taken = await next.acquire(lock, 20_000)
    expect(await taken.release()).toEqual({ lost: false })
    const again = await hasty.acquire(lock, 20_000)
    expect(again.token).toBeGreaterThan(taken.token)
  })

  test('a release that the mount does not answer is done when it does', async () => {
    const { space, path, hang, goOn } = await sshShare()
    const lock = join(path, 'lock')
    const [holder, next] = await Promise.all([Agent.start({ locker, on: space }), Agent.start({ locker, on: space })])
    const held = await holder.acquire(lock)
    await hang()
    const releasing = held.release()
    await holder.ask('ping')
    goOn()
    expect(await releasing).toEqual({ lost: false })
    expect((await next.acquire(lock)).token).toBeGreaterThan(held.token)
  })
})

describe.each([
  { way: 'SIGTERM', status: { code: null, signal: 'SIGTERM' } },
  { way: 'SIGINT', status: { code: null, signal: 'SIGINT' } },
] as const)('a holder on a mount that hangs', ({ way, status }) => {
  test(`ends within seconds by ${way}, and what it held on another mount is released`, async () => {
    const { space, path, hang } = await sshShare()
    const elsewhere = join(await temporaryFolder(), 'lock')
    const slow = { refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }
    const [holder, next] = await Promise.all([Agent.start({ on: space, locker: slow }), Agent.start({ locker: slow })])
    await holder.acquire(join(path, 'lock'))
    await holder.acquire(elsewhere)
    await hang()
    const from = performance.now()
    holder.kill(way)
    expect(await holder.ended).toEqual(status)
    expect(performance.now() - from).toBeLessThan(6000)
    expect(await next.tryAcquire(elsewhere)).not.toBeNull()
  })
})

test.each([
  { way: 'calls process.exit(7)', how: 'exit' },
  { way: 'comes to its end', how: 'return' },
  { way: 'throws what nothing catches', how: 'throw' },
])(
  'a holder on a mount that hangs and $way ends within seconds, and what it held on another mount is released',
  async ({ how }) => {
    const { space, path, hang } = await sshShare()
    const elsewhere = join(await temporaryFolder(), 'lock')
    const slow = { refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }
    const [holder, next] = await Promise.all([Agent.start({ on: space, locker: slow }), Agent.start({ locker: slow })])
    await holder.acquire(join(path, 'lock'))
    await holder.acquire(elsewhere)
    await hang()
    const from = performance.now()
    await holder.ask('end', { how })
    await holder.ended
    expect(performance.now() - from).toBeLessThan(6000)
    expect(holder.stderr).toMatch(/does not answer/)
    expect(await next.tryAcquire(elsewhere)).not.toBeNull()
  },
)
