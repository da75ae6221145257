/**
 * The handle of a lock, and what can be asked about it. Goal: releasing, disposing and closing do what their names say, however
 * often and in whatever order; `inspect` tells the four states apart and touches nothing. Method: mostly within one
 * process; holders that must be other processes are agents.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createLocker, InvalidArgumentError, type Lock, type LockerOptions, LockLostError } from '../../dist/index.js'
import { Agent, BRISK, SILENCE_MS } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { otherNode } from './support/space.js'
import { outlast } from './support/time.js'
import { PATIENCE } from './support/waiting.js'

const lockPath = async () => join(await temporaryFolder(), 'lock')

function newLocker(options: LockerOptions = {}) {
  const locker = createLocker({ ...BRISK, ...options })
  onTestFinished(() => locker.close())
  return locker
}

describe.each(KINDS)('$kind', ({ locker: kind }) => {
  test('a release can be repeated, says the same each time, and takes nothing from the next holder', async () => {
    const path = await lockPath()
    const locker = newLocker(kind)
    const lock = await locker.acquire(path)
    expect(lock).toMatchObject({ path, lockType: locker.settings.lockType, held: true })
    expect(lock.remainingMs).toBeGreaterThan(0)
    expect(await Promise.all([lock.release(), lock.release()])).toEqual([{ lost: false }, { lost: false }])
    const next = await locker.acquire(path)
    expect(await lock.release()).toEqual({ lost: false })
    expect(lock.releaseSync()).toEqual({ lost: false })
    expect(lock).toMatchObject({ held: false, remainingMs: 0 })
    expect(() => lock.assertHeld()).toThrowError(LockLostError)
    expect(next.held).toBe(true)
    expect(await newLocker(kind).tryAcquire(path)).toBeNull()
    expect(next.releaseSync()).toEqual({ lost: false })
    expect(await next.release()).toEqual({ lost: false })
  })

  test('withLock holds the lock while its work runs, passes the result on, and releases', async () => {
    const path = await lockPath()
    const [locker, rival] = [newLocker(kind), newLocker(kind)]
    const result = await locker.withLock(path, async (lock) => {
      expect(lock.held).toBe(true)
      expect(await rival.tryAcquire(path)).toBeNull()
      return 'done'
    })
    expect(result).toBe('done')
    expect(await rival.tryAcquire(path)).not.toBeNull()
  })

  test('withLock releases when its work throws, and passes the failure on', async () => {
    const path = await lockPath()
    const locker = newLocker(kind)
    const failure = new Error('no such luck')
    const work = () => {
      throw failure
    }
    await expect(locker.withLock(path, work)).rejects.toBe(failure)
    expect(await newLocker(kind).tryAcquire(path)).not.toBeNull()
  })

  test('withLock rejects with a LockLostError when the lock was lost while its work succeeded', async () => {
    const path = await lockPath()
    const work = newLocker(kind).withLock(path, () => rm(path, { recursive: true }))
    await expect(work).rejects.toBeInstanceOf(LockLostError)
  })

  test('disposing a lock releases it, asynchronously and synchronously', async () => {
    const path = await lockPath()
    const [locker, rival] = [newLocker(kind), newLocker(kind)]
    const first = await locker.acquire(path)
    await first[Symbol.asyncDispose]()
    const second = rival.tryAcquireSync(path)
    second?.[Symbol.dispose]()
    expect(locker.tryAcquireSync(path)).not.toBeNull()
  })

  test('close releases everything the locker holds, tells its locks, and later calls fail clearly', async () => {
    const folder = await temporaryFolder()
    const paths = [join(folder, 'one'), join(folder, 'two'), join(await temporaryFolder(), 'three')]
    const locker = createLocker({ ...BRISK, ...kind })
    const locks = await Promise.all(paths.map((path) => locker.acquire(path)))
    const { signal } = locks[0] as (typeof locks)[0]
    await Promise.all([locker.close(), locker.close()])

    const rival = newLocker(kind)
    for (const path of paths) expect(await rival.tryAcquire(path)).not.toBeNull()
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' })
    for (const lock of locks) expect(lock.held).toBe(false)
    for (const call of ['acquire', 'tryAcquire', 'inspect'] as const) {
      await expect(locker[call](paths[0] as string)).rejects.toBeInstanceOf(InvalidArgumentError)
      await expect(locker[call](paths[0] as string)).rejects.toThrowError(/closed/)
    }
    for (const call of ['acquireSync', 'tryAcquireSync'] as const)
      expect(() => locker[call](paths[0] as string)).toThrowError(/closed/)
  })

  test('closing one locker leaves the locks of another one in the same directory alone', async () => {
    const folder = await temporaryFolder()
    const [one, other] = [createLocker({ ...BRISK, ...kind }), newLocker(kind)]
    await one.acquire(join(folder, 'one'))
    const kept = await other.acquire(join(folder, 'other'))
    await one.close()
    await outlast(BRISK.timeoutIntervalMs * 1.5)
    expect(kept.held).toBe(true)
    expect(await newLocker(kind).tryAcquire(join(folder, 'other'))).toBeNull()
  })

  test('a lock whose locker holds nothing for a long time can be acquired again', async () => {
    const path = await lockPath()
    const locker = newLocker(kind)
    const first = await locker.acquire(path)
    await first.release()
    await outlast(BRISK.timeoutIntervalMs * 1.5)
    const second = await locker.acquire(path)
    expect(second.token).toBe((first.token as bigint) + 1n)
    expect(second.remainingMs).toBeGreaterThan(0)
  })

  test('inspect tells free, held and stale apart, and changes nothing', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const [holder, observer] = [await Agent.start({ locker: { ...kind, label: 'night shift' } }), newLocker(kind)]
    expect(await observer.inspect(path)).toMatchObject({ path, state: 'free', token: null, unknownEntries: [] })
    expect(await readdir(folder)).toEqual([])

    const startedMs = Date.now()
    const held = await holder.acquire(path)
    // What lies below its generation is cleaned up in the background.
    await vi.waitUntil(async () => (await readdir(path)).length === 2, PATIENCE)
    const entries = await readdir(path)
    const inspection = await observer.inspect(path)
    expect(inspection).toMatchObject({ state: 'held', token: held.token, unknownEntries: [] })
    const seen = 'holder' in inspection ? inspection.holder : null
    expect(seen).toMatchObject({
      host: hostname(),
      pid: holder.pid,
      uid: process.getuid?.(),
      user: userInfo().username,
      label: 'night shift',
      sameHost: true,
    })
    expect(Math.abs((seen?.since as number) - startedMs)).toBeLessThan(10_000)
    expect(seen?.heartbeatAgeMs).toBeGreaterThanOrEqual(0)
    expect(seen?.heartbeatAgeMs).toBeLessThan(BRISK.timeoutIntervalMs)
    expect((await readdir(path)).sort()).toEqual(entries.sort())

    await holder.murder()
    expect(await observer.inspect(path)).toMatchObject({ state: 'stale', token: held.token, holder: { pid: holder.pid } })
    expect((await readdir(path)).sort()).toEqual(entries.sort())
    const taken = await observer.acquire(path)
    await taken.release()
    expect(await observer.inspect(path)).toMatchObject({ state: 'free', token: taken.token })
  })

  test('inspect says that a holder of another node lives somewhere else, and that it is stale once it was watched', async () => {
    const path = await lockPath()
    const [holder, observer] = [await Agent.start({ locker: kind, on: await otherNode() }), newLocker(kind)]
    await holder.acquire(path)
    // By another process: this one watches from its first look on, and however long the holder takes to die.
    expect(await (await Agent.start({ locker: kind })).inspect(path)).toMatchObject({
      state: 'held',
      holder: { sameHost: false },
    })
    await holder.murder()
    expect(await observer.inspect(path)).toMatchObject({ state: 'held' })
    await outlast(SILENCE_MS + 100)
    expect(await observer.inspect(path)).toMatchObject({ state: 'stale' })
  })

  test('inspect says unknown, and acquire waits, where the holder’s record cannot be understood', async () => {
    const path = await lockPath()
    const [locker, observer] = [newLocker(kind), newLocker(kind)]
    const first = await locker.acquire(path)
    await first.release()
    // A link that is not ours; where the entry names its session file, that file is.
    await writeFile(join(path, String((first.token as bigint) + 1n)), 'written by a version from the future\n')
    const inspection = await observer.inspect(path)
    expect(inspection).toMatchObject({ state: 'unknown', holder: null })
    expect('reason' in inspection && inspection.reason).toMatch(/not readable/)
    expect(await observer.tryAcquire(path)).toBeNull()
    await expect(observer.acquire(path, { waitMs: 300 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
  })

  test('names in the lock directory that are not ours are reported and left alone', async () => {
    const path = await lockPath()
    const locker = newLocker(kind)
    await (await locker.acquire(path)).release()
    await writeFile(join(path, 'README'), 'hands off')
    await writeFile(join(path, '017'), 'not a generation')
    await writeFile(join(path, '.look-short'), 'not a trace of a waiter')
    await mkdir(join(path, 'folder'))
    const foreign = ['.look-short', '017', 'README', 'folder']
    for (let round = 0; round < 3; round++) await (await locker.acquire(path)).release()
    const inspection = await locker.inspect(path)
    expect(inspection.state).toBe('free')
    expect([...inspection.unknownEntries].sort()).toEqual(foreign)
    expect(await readdir(path)).toEqual(expect.arrayContaining(foreign))
    expect(await readFile(join(path, 'README'), 'utf8')).toBe('hands off')
  })

  test('a lock whose directory was deleted is reported lost by its release, and tokens go on increasing', async () => {
    const path = await lockPath()
    const locker = newLocker(kind)
    const gone = await locker.acquire(path)
    await rm(path, { recursive: true })
    expect(await gone.release()).toEqual({ lost: true })
    const next = await locker.acquire(path)
    expect(next.token).toBeGreaterThan(gone.token as bigint)
  })

  test('the holder of a lock that an administrator gave to another process is told, at a heartbeat', async () => {
    const path = await lockPath()
    const [holder, other] = [await newLocker(kind).acquire(path), await Agent.start({ locker: kind })]
    const aborted = new Promise((resolve) => holder.signal.addEventListener('abort', resolve))
    await breakLock(path)
    const taken = await other.acquire(path)
    expect(taken.token).toBeGreaterThan(holder.token as bigint)
    await aborted
    expect(holder.signal.reason).toMatchObject({ code: 'LOCK_LOST' })
    expect(holder.held).toBe(false)
    expect(await holder.release()).toEqual({ lost: true })
    expect(await taken.status()).toMatchObject({ held: true })
  })

  test('the holder of a lock whose directory was deleted is told, at a heartbeat', async () => {
    const path = await lockPath()
    const { signal } = await newLocker(kind).acquire(path)
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve))
    await rm(path, { recursive: true })
    await aborted
    expect(signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'removed' })
  })

  test('of several locks each one whose directory was deleted is told to its holder, and no other one', async () => {
    const folder = await temporaryFolder()
    const locker = newLocker(kind)
    const locks = await Promise.all(['kept', 'first', 'second', 'third'].map((name) => locker.acquire(join(folder, name))))
    const [kept, ...deleted] = locks as [Lock, ...Lock[]]
    const aborted = deleted.map(({ signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)))
    for (const { path } of deleted) await rm(path, { recursive: true })
    await Promise.all(aborted)
    for (const { signal } of deleted) expect(signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'removed' })
    expect(kept.held).toBe(true)
  })
})

test('a lock has no shared variant, and says so', async () => {
  const path = await lockPath()
  await expect(newLocker().acquire(path, { shared: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('hundreds of locks of one directory hang on one session file', async () => {
  const folder = await temporaryFolder()
  const locker = newLocker()
  const locks = await Promise.all(Array.from({ length: 200 }, (_, i) => locker.acquire(join(folder, `lock ${i}`))))
  expect((await readdir(folder)).filter((name) => name.startsWith('.mountlock-')).length).toBe(1)
  await outlast(BRISK.timeoutIntervalMs * 1.5)
  for (const lock of locks) lock.assertHeld()
})

/** What an administrator may do: gives the held generation back in the holder's name. */
async function breakLock(path: string): Promise<void> {
  // Below it there may be one that was free, until that is cleaned up.
  const [held = ''] = (await readdir(path)).filter((name) => /^[0-9]+(\.|$)/.test(name) && !name.endsWith('.free'))
  await rename(join(path, held), join(path, `${held.split('.')[0]}.free`))
}
