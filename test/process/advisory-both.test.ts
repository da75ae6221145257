/**
 * The default of advisory locks: both system calls. Goal: programs that use either are kept out and keep out, whichever was first;
 * what has only one of the two says so, or is refused. Method: python's own calls are the independent witness and rival.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { copyFile, readFile, symlink, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createLocker, type Locker, type LockerOptions } from '../../dist/index.js'
import { witness } from './fixtures/advisory-driver.mjs'
import { temporaryFolder } from './support/folder.js'
import { refusing } from './support/refusing.js'

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

function startRival(call: 'flock' | 'fcntl') {
  const program = `import fcntl,sys; f=open(sys.argv[1],'a+'); fcntl.${call === 'flock' ? 'flock' : 'lockf'}(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()`
  const child = spawn('python3', ['-c', program, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = once(child, 'exit')
  const end = async () => {
    child.stdin.end()
    await gone
  }
  onTestFinished(async () => {
    // Not asked: it may wait for the lock still.
    child.kill('SIGKILL')
    await gone
  })
  return { pid: child.pid, held: once(child.stdout, 'data'), end }
}

/** Another program that holds the file with one of the calls. @returns how to end it */
async function rival(call: 'flock' | 'fcntl'): Promise<() => Promise<void>> {
  const { held, end } = startRival(call)
  await held
  return end
}

/**
 * Drops the fcntl lock that this process has, as a program does that reads the file, until a rival that waits has it. The kernel
 * wakes the rival, which then tries again: a heartbeat that is under way may have it back before.
 */
async function dropToRival(): Promise<void> {
  const { pid } = startRival('fcntl')
  const locks = () => readFileSync('/proc/locks', 'latin1')
  await vi.waitUntil(() => new RegExp(`-> POSIX .* ${pid} `).test(locks()), { timeout: 20_000 })
  // No heartbeat begins meanwhile: its event loop is this one.
  const hasIt = () => new RegExp(`: POSIX .* ${pid} `).test(locks())
  for (const endMs = performance.now() + 20_000; !hasIt() && performance.now() < endMs;) readFileSync(path)
  expect(hasIt()).toBe(true)
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

/** What a worker thread with a locker by flock says of each path that it is sent, after it has tried it. */
function tryingWorker(): Worker {
  const code = `
    const { parentPort, workerData: { library } } = require('node:worker_threads')
    import(library).then(({ createLocker }) => {
      const locker = createLocker({ lockType: 'advisory', advisoryKind: 'flock' })
      parentPort.on('message', async ({ path, shared }) => {
        const lock = await locker.tryAcquire(path, { shared })
        parentPort.postMessage(lock === null ? 'busy' : 'acquired')
        await lock?.release()
      })
    })`
  const worker = new Worker(code, { eval: true, workerData: { library: new URL('../../dist/index.js', import.meta.url).href } })
  onTestFinished(async () => void (await worker.terminate()))
  return worker
}

async function tryIn(worker: Worker, shared = false): Promise<unknown> {
  worker.postMessage({ path, shared })
  const [answer] = await once(worker, 'message')
  return answer
}

const descriptorsOf = (file: string) =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file
    } catch {
      return false // the one that the listing itself used
    }
  }).length

test.each([
  { shared: false, answers: ['busy', 'busy', 'busy'] },
  { shared: true, answers: ['acquired', 'acquired', 'acquired'] },
])('tries of a worker thread drop nothing that the main thread holds (shared: $shared)', async ({ shared, answers }) => {
  const worker = tryingWorker()
  expect(await tryIn(worker, shared)).toBe('acquired') // from now on it is a quick one
  const lock = await advisory().acquire(path, { shared })
  for (const answer of answers) {
    expect(await tryIn(worker, shared)).toBe(answer)
    expect(CALLS.map((call) => witness(path, call))).toEqual(['busy', 'busy'])
  }
  // However often it has tried, one descriptor of it stays open for as long.
  expect(descriptorsOf(path)).toBeLessThanOrEqual(3)
  expect(await lock.release()).toEqual({ lost: false })
  expect(await tryIn(worker)).toBe('acquired')
  await vi.waitFor(() => expect(descriptorsOf(path)).toBe(0), { timeout: 10_000 })
})

test('worker threads that lock come and go, while the main thread locks, and the process lives', () => {
  const program = `
    import { once } from 'node:events'
    import { isMainThread, Worker, workerData } from 'node:worker_threads'
    import { createLocker } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
    const [path, file] = isMainThread ? process.argv.slice(2) : workerData
    const locker = createLocker({ lockType: 'advisory', advisoryKind: 'flock' })
    for (let round = 0; round < (isMainThread ? 3 : 1); round++) {
      await (await locker.acquire(path, { waitMs: 20_000 })).release()
      if (isMainThread) await once(new Worker(file, { workerData: [path, file] }), 'exit')
    }
    await locker.close()
    if (isMainThread) console.log('lives')`
  const file = `${path}.mjs`
  writeFileSync(file, program)
  const { stdout, stderr } = spawnSync(process.execPath, [file, path, file], { encoding: 'utf8' })
  expect({ stdout, stderr }).toEqual({ stdout: 'lives\n', stderr: '' })
})

const BRISK = { refreshRateMs: 100, timeoutIntervalMs: 400 }
const SLOW = { refreshRateMs: 3000, timeoutIntervalMs: 10_000 }

test.each(['both', 'fcntl'] as const)(
  'an fcntl lock that the program itself has dropped, by reading the file, is taken again while it is free (%s)',
  async (advisoryKind) => {
    const lock = await advisory({ ...BRISK, advisoryKind }).acquire(path)
    readFileSync(path)
    expect(witness(path, 'fcntl')).toBe('free')
    await vi.waitFor(() => expect(witness(path, 'fcntl')).toBe('busy'), { timeout: 10_000 })
    expect(lock.held).toBe(true)
    expect(await lock.release()).toEqual({ lost: false })
  },
)

test('where another program has it by then, the holder is told that the lock is lost', async () => {
  const lock = await advisory(BRISK).acquire(path)
  const lost = once(lock.signal, 'abort')
  await dropToRival()
  await lost
  expect(lock.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'advisory-lost' })
  expect(lock.held).toBe(false)
  expect(await lock.release()).toEqual({ lost: true })
  await vi.waitFor(() => expect(witness(path, 'flock')).toBe('free'), { timeout: 10_000 })
})

test.each(['release', 'releaseSync'] as const)('%s of what was held for long says so, too', async (release) => {
  const lock = await advisory(SLOW).acquire(path)
  await dropToRival()
  // The event loop that would look stands still meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW.refreshRateMs)
  expect(await lock[release]()).toEqual({ lost: true })
})

test('a refusal of the fcntl call itself is an error: only the file that may not be opened for writing is locked by flock alone', async () => {
  const { env, refuse } = await refusing()
  refuse('fcntl', constants.errno.EPERM, 'lock never')
  const code = `import { createLocker } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
    const locker = createLocker({ lockType: 'advisory' })
    console.log(await locker.acquire(process.argv[1]).then(() => 'acquired', ({ errno }) => errno))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code, path], { env: { ...process.env, ...env } })
  expect(String(stdout).trim()).toBe('EPERM')
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

test('a file that is locked is not read through another lock of the process either', async () => {
  const [lock, other] = [await advisory().acquire(path), await advisory().acquire(`${path}-other`)]
  await expect(other.readFile(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(witness(path, 'fcntl')).toBe('busy')
  expect(await lock.release()).toEqual({ lost: false })
  expect(String(await other.readFile(path))).toBe('')
})

test('by flock alone the locked file can be read: that lock ends with its own descriptor only', async () => {
  await writeFile(path, 'data')
  const lock = await advisory({ advisoryKind: 'flock' }).acquire(path)
  expect(String(await lock.readFile(path))).toBe('data')
  expect(witness(path, 'flock')).toBe('busy')
  await expect(lock.replaceFile(path, 'new')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
