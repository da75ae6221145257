/**
 * The default of advisory locks: both system calls. Goal: programs that use either are kept out and keep out, whoever was first;
 * what has only one of the two says so, or is refused. Method: python's own calls are the independent witness and rival.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createLocker, type Locker, type LockerOptions } from '../../dist/index.js'
import { witness } from './fixtures/advisory-driver.mjs'
import { temporaryFolder } from './support/folder.js'

const CALLS = ['flock', 'fcntl'] as const

let path: string

beforeEach(async () => {
  path = join(await temporaryFolder(), 'lock')
})

function advisory(options: LockerOptions = {}): Locker {
  const locker = createLocker({ lockType: 'advisory', ...options })
  onTestFinished(() => locker.close())
  return locker
}

/** Another program that holds the file with one of the calls. @returns how to end it */
async function rival(call: 'flock' | 'fcntl'): Promise<() => Promise<void>> {
  const program = `import fcntl,sys; f=open(sys.argv[1],'a+'); fcntl.${call === 'flock' ? 'flock' : 'lockf'}(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()`
  const child = spawn('python3', ['-c', program, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  const end = async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  }
  onTestFinished(end)
  await once(child.stdout, 'data')
  return end
}

test('it is held with both calls, and given back with both', async () => {
  const locker = advisory()
  const lock = await locker.acquire(path)
  expect(CALLS.map((call) => witness(path, call))).toEqual(['busy', 'busy'])
  expect(await locker.inspect(path)).toMatchObject({ state: 'held', heldWith: ['flock', 'fcntl'], holder: { pid: process.pid } })
  await lock.release()
  expect(CALLS.map((call) => witness(path, call))).toEqual(['free', 'free'])
  expect(await locker.inspect(path)).toMatchObject({ state: 'free' })
})

test.each([
  ['flock', 'fcntl'],
  ['fcntl', 'flock'],
] as const)('a program that holds it with %s keeps it out, and the other call is not left behind', async (call, other) => {
  const end = await rival(call)
  expect(await advisory().tryAcquire(path)).toBeNull()
  expect(witness(path, other)).toBe('free')
  expect(await advisory().inspect(path)).toMatchObject({ state: 'held', heldWith: [call] })
  await end()
  expect(await advisory().tryAcquire(path)).not.toBeNull()
})

test.each(CALLS)('lockers that name %s and those that name nothing exclude each other', async (advisoryKind) => {
  const [one, both] = [advisory({ advisoryKind }), advisory()]
  const first = await one.acquire(path)
  expect(await both.tryAcquire(path)).toBeNull()
  await first.release()
  const second = await both.acquire(path)
  expect(await one.tryAcquire(path)).toBeNull()
  await second.release()
})

test('shared locks of one process coexist, and keep an exclusive one out until the last is released', async () => {
  const locker = advisory()
  const [first, second] = [await locker.acquire(path, { shared: true }), await locker.acquire(path, { shared: true })]
  await first.release()
  expect(await locker.tryAcquire(path)).toBeNull()
  expect(CALLS.map((call) => witness(path, call))).toEqual(['busy', 'busy'])
  await second.release()
  expect(CALLS.map((call) => witness(path, call))).toEqual(['free', 'free'])
})

test('a program that runs is locked by flock alone, which inspect and the log tell, and ours exclude each other there', async () => {
  await copyFile('/bin/sleep', path)
  const running = spawn(path, ['600'])
  onTestFinished(() => void running.kill())
  await once(running, 'spawn')
  const logFile = join(await temporaryFolder(), 'log')
  const locker = advisory({ enableLogging: true, logFile })

  const lock = await locker.acquire(path)
  expect(await locker.inspect(path)).toMatchObject({ state: 'held', heldWith: ['flock'] })
  expect(await advisory().tryAcquire(path)).toBeNull()
  await lock.release()
  await locker.close()
  expect(await readFile(logFile, 'utf8')).toContain('by flock alone: fcntl was not taken')
})

test('a script is locked by flock alone: while a process could write to it, the kernel would not execute it', async () => {
  await writeFile(path, '#!/bin/sh\nexit 7\n', { mode: 0o755 })
  const lock = await advisory().acquire(path)
  expect(CALLS.map((call) => witness(path, call))).toEqual(['busy', 'free'])
  expect(spawnSync(path).status).toBe(7)
  await lock.release()
})

test('a blocking call is refused before anything is locked, unless the locker names flock', async () => {
  const remedy = /blocking call.*Use the asynchronous acquire, or advisoryKind 'flock'/s
  expect(() => advisory().acquireSync(path)).toThrow(remedy)
  expect(() => advisory().tryAcquireSync(path)).toThrow(remedy)
  const lock = advisory({ advisoryKind: 'flock' }).acquireSync(path)
  expect(witness(path, 'flock')).toBe('busy')
  lock.releaseSync()
})

test('in a worker thread it is refused before anything is locked, unless the locker names flock', async () => {
  const code = `
    const { parentPort, workerData: { library, path } } = require('node:worker_threads')
    const tryWith = async (createLocker, options) => {
      const locker = createLocker({ lockType: 'advisory', ...options })
      const lock = await locker.acquire(path)
      await lock.release()
      return 'acquired'
    }
    import(library).then(async ({ createLocker }) => {
      for (const options of [{}, { advisoryKind: 'flock' }])
        parentPort.postMessage(await tryWith(createLocker, options).catch(({ message }) => message))
    })`
  const workerData = { library: new URL('../../dist/index.js', import.meta.url).href, path }
  const worker = new Worker(code, { eval: true, workerData })
  onTestFinished(async () => void (await worker.terminate()))
  const [refusal] = await once(worker, 'message')
  expect(refusal).toContain("Acquire it in the main thread, or use advisoryKind 'flock'")
  expect((await once(worker, 'message'))[0]).toBe('acquired')
})

test('the file that is locked is neither read nor replaced through the lock: both would let go of it, and nothing would tell', async () => {
  await writeFile(path, 'data')
  const link = `${path}-link`
  await symlink(path, link)
  const lock = await advisory().acquire(path)
  for (const name of [path, link]) {
    await expect(lock.readFile(name)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(lock.replaceFile(name, 'new')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
  expect(CALLS.map((call) => witness(path, call))).toEqual(['busy', 'busy'])
  await lock.replaceFile(`${path}-data`, 'beside it')
  expect(String(await lock.readFile(`${path}-data`))).toBe('beside it')
  expect(await lock.release()).toEqual({ lost: false })
})

test('by flock alone the locked file can be read: that lock ends with its own descriptor only', async () => {
  await writeFile(path, 'data')
  const lock = await advisory({ advisoryKind: 'flock' }).acquire(path)
  expect(String(await lock.readFile(path))).toBe('data')
  expect(witness(path, 'flock')).toBe('busy')
  await expect(lock.replaceFile(path, 'new')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
