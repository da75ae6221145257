/**
 * Errors that were answered although it was done. Goal: no error that proves nothing leaves a lock held without a holder: another process
 * gets it within two intervals, while the one that was told the error lives on and holds other locks. Method: a preloaded
 * library performs one call of a real process, of the heartbeat thread too, and answers with the error.
 */

import { existsSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { provesNothingDone } from '../../build/protocol/doubt.js'
import { leaseMs } from '../../build/protocol/lease.js'
import { Bench } from './fixtures/locktester-driver.mjs'
import { Agent, AgentError, BRISK } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { refusing } from './support/refusing.js'

/** In the full run each call is answered with each error. */
const isFull = process.env.MOUNTLOCK_SOAK !== undefined

/** Each with a part of the path by which it is told from others. */
const CALLS = {
  'hard link': [
    { call: 'link', part: '/x/' },
    { call: 'unlink', part: '.free' },
  ],
  symlink: [{ call: 'symlink', part: '/x/' }],
  rename: [{ call: 'rename', part: '/x/' }],
} as const
/** The calls of every claim, in the order in which they come. */
const CALLS_OF_ALL = [
  { call: 'create', part: '.mountlock-41c29-' },
  { call: 'pwrite', part: '.mountlock-41c29-' },
  { call: 'mkdir', part: '.mountlock-new-' },
  { call: 'create', part: '.mountlock-new-' },
  { call: 'rename', part: '/x' },
  { call: 'rename', part: '.free' },
] as const

const ERRORS = Object.entries(constants.errno).filter(([code]) => !provesNothingDone(code))
/** For the short run: of an aborted FUSE daemon, of SMB, of a repetition, of a soft mount. */
const SOME = ['ECONNABORTED', 'EAGAIN', 'EEXIST', 'ENOENT', 'ETIMEDOUT', 'EIO']

/** What the process is told does not matter here, as long as it is told something. */
async function tryAndRelease(agent: Agent, path: string): Promise<void> {
  try {
    await (await agent.acquire(path)).release()
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    expect(error.remote.name).toBe('LockFileSystemError')
  }
}

describe.each(KINDS)('$kind', ({ kind, locker }) => {
  test('a lock is got by another process within two intervals, whatever was done and answered with an error', async () => {
    const { env, plan, refuse } = await refusing()
    const [told, other] = await Promise.all([Agent.start({ locker, env }), Agent.start({ locker })])
    const calls = [...CALLS_OF_ALL, ...CALLS[kind]]
    for (const [index, { call, part }] of calls.entries()) {
      const chosen = isFull ? ERRORS : ERRORS.filter(([code]) => code === SOME[index % SOME.length])
      for (const [code, errno] of chosen) {
        // A directory of its own, and so a session of its own.
        const folder = await temporaryFolder()
        const refused = () => expect.soft(existsSync(plan), `${call} of ${part} came, and was answered ${code}`).toBe(false)
        if (part === '.mountlock-41c29-') refuse(call, errno, part)
        // Another lock, so that the session lives on.
        const held = await told.acquire(join(folder, 'y'))
        if (part !== '.mountlock-41c29-') refuse(call, errno, part)
        await tryAndRelease(told, join(folder, 'x'))
        if (existsSync(plan)) await tryAndRelease(told, join(folder, 'x'))
        refused()
        const taken = await other.acquire(join(folder, 'x'), 2 * BRISK.timeoutIntervalMs)
        expect(await taken.release()).toEqual({ lost: false })
        expect(await held.status()).toMatchObject({ held: true })
        expect(await held.release()).toEqual({ lost: false })
      }
    }
  })

  test('a heartbeat that was written and answered with an error loses no lock', async () => {
    const { env, plan, refuse } = await refusing()
    const path = join(await temporaryFolder(), 'x')
    const [told, other] = await Promise.all([Agent.start({ locker, env }), Agent.start({ locker })])
    const held = await told.acquire(path)
    refuse('pwrite', constants.errno.ECONNABORTED, '.mountlock-41c29-')
    await vi.waitFor(() => expect(existsSync(plan)).toBe(false), { timeout: 10_000 })
    expect(await other.tryAcquire(path)).toBeNull()
    expect(await held.release()).toEqual({ lost: false })
  })

  test('heartbeats that are answered with an error extend no lease: the holder hears when it is over', async () => {
    const { env, refuse } = await refusing()
    const told = await Agent.start({ locker, env })
    const held = await told.acquire(join(await temporaryFolder(), 'x'))
    refuse('pwrite', constants.errno.EIO, '.mountlock-41c29- always')
    const sinceMs = performance.now()
    for (;;) {
      const askedMs = performance.now()
      const { held: isHeld, remainingMs } = await held.status()
      if (!isHeld) break
      // The last heartbeat that counts was begun before.
      expect(remainingMs).toBeLessThanOrEqual(leaseMs(BRISK.timeoutIntervalMs) - (askedMs - sinceMs))
    }
    expect((await held.lost()).error).toMatchObject({ code: 'LOCK_LOST' })
  })

  test('what is in doubt is settled with the heartbeats, while its process holds another lock and asks for this one no more', async () => {
    const { env, plan, refuse } = await refusing()
    const folder = await temporaryFolder()
    const path = join(folder, 'x')
    const [told, other] = await Promise.all([Agent.start({ locker, env }), Agent.start({ locker })])
    const [held, released] = [await told.acquire(join(folder, 'y')), await told.acquire(path)]
    refuse('rename', constants.errno.EIO, '/x/ never')
    await expect(released.release()).rejects.toMatchObject({ remote: { code: 'IO_ERROR' } })
    rmSync(plan)
    const taken = await other.acquire(path, 2 * BRISK.timeoutIntervalMs)
    expect(await taken.release()).toEqual({ lost: false })
    expect(await held.release()).toEqual({ lost: false })
  })

  test('what cannot be settled for an interval ends with the last lock that its session holds, and takes none with it', async () => {
    const { env, refuse } = await refusing()
    const folder = await temporaryFolder()
    const path = join(folder, 'x')
    const [told, other] = await Promise.all([Agent.start({ locker, env }), Agent.start({ locker })])
    const [held, released] = [await told.acquire(join(folder, 'y')), await told.acquire(path)]
    const sessions = async () => (await readdir(folder)).filter((name) => name.includes(`-${told.pid}-`)).length
    refuse('rename', constants.errno.EIO, '/x/ never')
    await expect(released.release()).rejects.toMatchObject({ remote: { code: 'IO_ERROR' } })
    // From then on new locks are taken with another session.
    await vi.waitFor(
      async () => {
        expect(await (await told.acquire(join(folder, 'z'))).release()).toEqual({ lost: false })
        expect(await sessions()).toBe(2)
      },
      { timeout: 10 * BRISK.timeoutIntervalMs },
    )
    expect(await other.tryAcquire(path)).toBeNull()
    expect(await held.release()).toEqual({ lost: false })
    expect(await other.acquire(path, 2 * BRISK.timeoutIntervalMs)).toMatchObject({ token: released.token + 1n })
  })

  test('a session of which half was written, because the disk was full then, is not used', async () => {
    const { env, plan, refuse } = await refusing()
    const path = join(await temporaryFolder(), 'x')
    const told = await Agent.start({ locker, env })
    refuse('pwrite', 0, '.mountlock-41c29-')
    expect(await told.refusal(path)).toMatchObject({ errno: 'ENOSPC' })
    expect(existsSync(plan)).toBe(false)
    expect(await told.tryAcquire(path)).not.toBeNull()
  })
})

/** With what a look at each of them takes, longer than a lease. */
const IN_DOUBT = 12
const LOOK_MS = 250

test('settling many locks on a slow server delays no heartbeat of what is held beyond its lease', async () => {
  const { env, refuse } = await refusing()
  const folder = await temporaryFolder()
  const told = await Agent.start({ env })
  const held = await told.acquire(join(folder, 'y'))
  const locks = await Promise.all(Array.from({ length: IN_DOUBT }, (_, number) => told.acquire(join(folder, `x${number}`))))
  refuse('rename', constants.errno.EIO, '/x never')
  const releases = await Promise.allSettled(locks.map((lock) => lock.release()))
  expect(releases.map(({ status }) => status)).toEqual(locks.map(() => 'rejected'))
  refuse('rename', constants.errno.EIO, `/x never ${LOOK_MS}`)
  // Long enough for each of them to be looked at.
  for (const sinceMs = performance.now(); performance.now() - sinceMs < 2 * IN_DOUBT * LOOK_MS;)
    expect(await held.status()).toMatchObject({ held: true })
  expect(await held.release()).toEqual({ lost: false })
})

test('locktester run says where it cannot be told whether the lock was released', async () => {
  const { env, refuse } = await refusing()
  const bench = new Bench()
  onTestFinished(() => bench.close())
  refuse('rename', constants.errno.EIO, '/x/ never')
  const run = bench.locktester(['run', join(await temporaryFolder(), 'x'), '--', 'sh', '-c', 'exit 7'], { env })
  expect(await run.end).toBe(7)
  expect(run.stderr).toContain('It cannot be told whether the lock was released')
})
