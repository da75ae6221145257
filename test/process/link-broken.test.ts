/**
 * A claim that an administrator broke, and that its holder has not noticed yet: its next heartbeat is far away. Goal: each way
 * out of the lock says that it had been lost, and why; none passes a lost lock off as a released one. Method: `locktester
 * break` takes the lock from this process.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { lock as lockFile } from '../../dist/compat/proper-lockfile.js'
import { createLocker, type Lock, type LockerOptions } from '../../dist/index.js'
import { Bench } from './fixtures/locktester-driver.mjs'
import { KINDS, temporaryFolder } from './support/folder.js'

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.close())

async function breakAt(path: string, token: bigint | null): Promise<void> {
  const only = bench.locktester(['break', path, '--token', String(token)])
  expect(await only.end, only.stderr).toBe(0)
}

function lockerOf(options: LockerOptions) {
  const locker = createLocker(options)
  onTestFinished(() => locker.close())
  return locker
}

const BROKEN = { name: 'LockLostError', code: 'LOCK_LOST', reason: 'broken' }

async function broken(options: LockerOptions): Promise<Lock> {
  const lock = await lockerOf(options).acquire(join(await temporaryFolder(), 'lock'))
  void lock.signal
  await breakAt(lock.path, lock.token)
  expect(lock.held).toBe(true) // it was not noticed
  return lock
}

test.each(KINDS)('$kind: release says that it was lost, and the signal why', async ({ locker }) => {
  const lock = await broken(locker)
  expect(await lock.release()).toEqual({ lost: true })
  expect(lock.releaseSync()).toEqual({ lost: true })
  expect(lock.signal.reason).toMatchObject(BROKEN)
  expect(() => lock.assertHeld()).toThrowError(expect.objectContaining(BROKEN))
  // It was told by now: disposing says nothing more.
  await lock[Symbol.asyncDispose]()
  lock[Symbol.dispose]()
})

test('so does a blocking release; disposing a lock, and withLock, throw', async () => {
  expect((await broken({})).releaseSync()).toEqual({ lost: true })
  await expect((await broken({}))[Symbol.asyncDispose]()).rejects.toMatchObject(BROKEN)
  const lock = await broken({})
  expect(() => lock[Symbol.dispose]()).toThrowError(expect.objectContaining(BROKEN))
  const path = join(await temporaryFolder(), 'lock')
  await expect(lockerOf({}).withLock(path, ({ token }) => breakAt(path, token))).rejects.toMatchObject(BROKEN)
})

test('unlocking by the interface of proper-lockfile says ECOMPROMISED, and why', async () => {
  const file = join(await temporaryFolder(), 'file')
  await writeFile(file, '')
  const unlock = await lockFile(file, { stale: 60_000 })
  const only = bench.locktester(['status', `${file}.lock`, '--json'])
  await only.end
  await breakAt(`${file}.lock`, JSON.parse(only.stdout).locks[0].token)
  await expect(unlock()).rejects.toMatchObject({ code: 'ECOMPROMISED', cause: BROKEN })
})

test('locktester run warns when its command has ended, and keeps its exit status', async () => {
  const path = join(await bench.directory(), 'lock')
  const run = bench.locktester(['run', path, '--', 'sh', '-c', 'echo "token $MOUNTLOCK_TOKEN."; cat >/dev/null; exit 7'])
  await run.says('.\n')
  await breakAt(path, BigInt(/token (\d+)/.exec(run.stdout)?.[1] as string))
  run.endInput()
  expect(await run.end).toBe(7)
  expect(run.stderr).toContain('The lock had been lost when sh ended')
  expect(run.stderr).not.toContain('Terminating')
})
