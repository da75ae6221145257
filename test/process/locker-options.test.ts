/**
 * What a caller asks for. Goal: an option that a call does not know is refused, with the one that was meant; waits are as long as
 * they were asked to be; several locks are acquired all or none. Method: the published library, within one process and with agents.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createLocker,
  InvalidArgumentError,
  loadConfig,
  LockerClosedError,
  type Locker,
  type LockerOptions,
  type LockEvent,
  LockTimeoutError,
} from '../../dist/index.js'
import { Agent, BRISK } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'

const lockPath = async () => join(await temporaryFolder(), 'lock')

function newLocker(): Locker<'linkbased'> {
  const locker = createLocker({ ...BRISK, lockType: 'linkbased' })
  onTestFinished(() => locker.close())
  return locker
}

/** The path of the next lock that a locker of this process waits for. */
function nextWait(): Promise<string> {
  return new Promise((resolve) => {
    const heard = (event: unknown) => {
      unsubscribe('mountlock:wait', heard)
      resolve((event as LockEvent).path)
    }
    subscribe('mountlock:wait', heard)
  })
}

const work = async () => {}
const CALLS: Record<string, (locker: Locker, path: string, options: object) => unknown> = {
  acquire: (locker, path, options) => locker.acquire(path, options),
  acquireAll: (locker, path, options) => locker.acquireAll([path], options),
  withLock: (locker, path, options) => locker.withLock(path, work, options),
  acquireSync: (locker, path, options) => locker.acquireSync(path, options),
}
const CALLS_AT_ONCE: typeof CALLS = {
  tryAcquire: (locker, path, options) => locker.tryAcquire(path, options),
  tryAcquireSync: (locker, path, options) => locker.tryAcquireSync(path, options),
}

test.each(Object.entries(CALLS))(
  '%s refuses options that it does not know, and names the one that was meant',
  async (name, call) => {
    const [locker, path] = [newLocker(), await lockPath()]
    for (const option of ['timeout', 'retries', 'waitms', 'waitMS']) {
      const refused = async () => call(locker, path, { [option]: 5 })
      await expect(refused()).rejects.toThrowError(`\`${name}\` has no option \`${option}\`; did you mean waitMs?`)
      await expect(refused()).rejects.toBeInstanceOf(InvalidArgumentError)
    }
    await expect((async () => call(locker, path, 5 as never))()).rejects.toBeInstanceOf(InvalidArgumentError)
    expect(await locker.inspect(path)).toMatchObject({ state: 'free', token: null })
  },
)

test.each(Object.entries(CALLS_AT_ONCE))('%s has no option to wait', async (name, call) => {
  const [locker, path] = [newLocker(), await lockPath()]
  const refused = (async () => call(locker, path, { waitMs: 5 }))()
  await expect(refused).rejects.toThrowError(`\`${name}\` has no option \`waitMs\`. It has: shared.`)
})

test('createLocker and loadConfig name the option that was meant', () => {
  expect(() => createLocker({ timeoutInterval: 5 } as object)).toThrowError('did you mean timeoutIntervalMs?')
  expect(() => createLocker({ stale: 5 } as object)).toThrowError('did you mean timeoutIntervalMs?')
  expect(() => loadConfig({ path: '/nowhere' } as object)).toThrowError('did you mean file?')
})

describe('an option is of the form that the library documents, or is refused by its name, with what came and what was expected', () => {
  const ofLocker: [LockerOptions, string][] = (
    [
      [{ label: 5 }, '`label` to be a string, got 5'],
      [{ config: 5 }, '`config` to be a non-empty string without NUL, got 5'],
      [{ config: '' }, '`config` to be a non-empty string without NUL, got ""'],
      [{ logFile: 5 }, '`logFile` to be a non-empty string without NUL, got 5'],
      [{ logFile: '' }, '`logFile` to be a non-empty string without NUL, got ""'],
      [{ useSymlinks: 'no' }, '`useSymlinks` to be true or false, got "no"'],
      [{ enableLogging: 1 }, '`enableLogging` to be true or false, got 1'],
      [{ strict: 'yes' }, '`strict` to be true or false, got "yes"'],
      [{ lockType: 'flock' }, "`lockType` to be one of 'linkbased', 'advisory', 'renamebased', got \"flock\""],
      [{ lockType: null }, "`lockType` to be one of 'linkbased', 'advisory', 'renamebased', got null"],
      [{ advisoryKind: 'lockf' }, "`advisoryKind` to be one of 'both', 'flock', 'fcntl', got \"lockf\""],
      [{ refreshRateMs: '5000' }, '`refreshRateMs` to be a whole number of at least 100, got "5000"'],
      [{ refreshRateMs: 5000n }, '`refreshRateMs` to be a whole number of at least 100, got 5000n'],
      [{ timeoutIntervalMs: Number.NaN }, '`timeoutIntervalMs` to be a whole number from 1 to 86400000, got NaN'],
      [{ workbench: 'yes' }, '`workbench` to be true or false, or an object, got "yes"'],
      [{ workbench: null }, '`workbench` to be true or false, or an object, got null'],
      [{ workbench: { advisory: 1 } }, '`workbench.advisory` to be true or false, got 1'],
      [
        { workbench: { timeoutIntervalMs: 5 } },
        '`workbench.timeoutIntervalMs` to be a whole number from 3000 to 86400000, got 5',
      ],
    ] as [object, string][]
  ).map(([options, expected]) => [options as LockerOptions, expected])
  test.each(ofLocker)('createLocker %o', (options, expected) => {
    expect(() => createLocker(options)).toThrowError(`Expected ${expected}. Correct the options of `)
    expect(() => createLocker(options)).toThrowError(InvalidArgumentError)
  })

  test.each([
    [{ file: 5 }, '`file` to be a non-empty string without NUL, got 5'],
    [{ env: 5 }, '`env` to be an object, got 5'],
    [{ strict: 1 }, '`strict` to be true or false, got 1'],
  ])('loadConfig %o', (options, expected) => {
    expect(() => loadConfig(options as object)).toThrowError(`Expected ${expected}. Correct the options of \`loadConfig\`.`)
  })

  const ofCalls: [object, string][] = [
    [{ waitMs: '5000' }, '`waitMs` to be a number from 0 to 2147483647, or Infinity, got "5000"'],
    [{ waitMs: null }, '`waitMs` to be a number from 0 to 2147483647, or Infinity, got null'],
    [{ waitMs: -1 }, '`waitMs` to be a number from 0 to 2147483647, or Infinity, got -1'],
    [{ shared: 'yes' }, '`shared` to be true or false, got "yes"'],
  ]
  const ofWaits: [object, string][] = [
    [{ signal: {} }, '`signal` to be an AbortSignal, got {}'],
    [{ signal: new AbortController() }, '`signal` to be an AbortSignal, got {}'],
    [{ signal: null }, '`signal` to be an AbortSignal, got null'],
  ]
  test.each(Object.entries(CALLS))('%s', async (name, call) => {
    const [locker, path] = [newLocker(), await lockPath()]
    for (const [options, expected] of [...ofCalls, ...(name === 'acquireSync' ? [] : ofWaits)]) {
      const refused = (async () => call(locker, path, options))()
      await expect(refused).rejects.toThrowError(`Expected ${expected}. Correct the options of \`${name}\`.`)
    }
    expect(await locker.inspect(path)).toMatchObject({ state: 'free', token: null })
  })
})

test('so are the arguments of acquireAll, readFile and replaceFile', async () => {
  const [locker, path] = [newLocker(), await lockPath()]
  await expect(locker.acquireAll(path as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const lock = await locker.acquire(path)
  await expect(lock.readFile(5 as never)).rejects.toThrowError('Expected the path of `readFile` to be')
  await expect(lock.replaceFile('', 'text')).rejects.toThrowError('Expected the path of `replaceFile` to be')
  await expect(lock.replaceFile(`${path}.data`, 5 as never)).rejects.toThrowError(
    'Expected the data of `replaceFile` to be a string or a Uint8Array, got 5.',
  )
  expect(lock.held).toBe(true)
})

test('a message ends a question by its own mark, and tells a wait in whole milliseconds', async () => {
  const path = await lockPath()
  expect(() => createLocker({ stale: 5 } as object)).toThrowError('did you mean timeoutIntervalMs? It has: ')
  await newLocker().acquire(path)
  const refused = newLocker().acquire(path, { waitMs: 0.123 })
  await expect(refused).rejects.toThrowError('Not acquired within 1 ms (held by this process)')
})

test('withLock refuses work that is no function before it locks anything', async () => {
  const [locker, path] = [newLocker(), await lockPath()]
  await expect(locker.withLock(path, { waitMs: 5 } as never)).rejects.toBeInstanceOf(InvalidArgumentError)
  expect(await locker.inspect(path)).toMatchObject({ token: null })
})

test('Infinity waits until the lock is free', async () => {
  const path = await lockPath()
  const held = await (await Agent.start()).acquire(path)
  const [waits, acquired] = [nextWait(), newLocker().acquire(path, { waitMs: Infinity })]
  await waits
  await held.release()
  expect((await acquired).held).toBe(true)
})

test('a blocking call ends at once where this process itself holds the lock, and says why, however long it would have waited', async () => {
  const path = await lockPath()
  await newLocker().acquire(path)
  for (const options of [{ waitMs: Infinity }, { waitMs: 60_000 }, {}])
    expect(() => newLocker().acquireSync(path, options)).toThrowError(
      `It cannot be waited for (held by this process): ${path}. Release it first, or wait with acquire, `,
    )
  expect(() => newLocker().acquireSync(path, { waitMs: 0 })).toThrowError('Not acquired at the first try (held by this process)')
})

test('a waiter whose locker is closed hears that it was closed while it waited; a later call that it is closed', async () => {
  const path = await lockPath()
  await (await Agent.start()).acquire(path)
  const closing = createLocker(BRISK)
  const waits = nextWait()
  const refused = closing.acquire(path, { waitMs: Infinity }).catch((error: unknown) => error)
  await waits
  await closing.close()
  const error = await refused
  expect(error).toBeInstanceOf(LockerClosedError)
  expect(error).toMatchObject({
    code: 'LOCKER_CLOSED',
    path,
    message: expect.stringContaining('the call that waited for the lock'),
  })
  await expect(closing.acquire(path)).rejects.toThrowError(/^This locker is closed\. /)
})

test('acquireAll takes the same locks in one order, whatever the order of the paths: no two processes wait for each other', async () => {
  const folder = await temporaryFolder()
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  const turns = async (paths: string[]) => {
    const locker = newLocker()
    for (let turn = 0; turn < 10; turn++) {
      const locks = await locker.acquireAll(paths)
      expect(locks.map(({ path }) => path)).toEqual(paths)
      for (const { token } of locks) expect(token > 0n).toBe(true)
      expect(await locks.release()).toEqual({ lost: false })
    }
  }
  await Promise.all([turns([a, b]), turns([b, a])])
})

test('acquireAll holds nothing when it could not have all, and takes no lock twice', async () => {
  const folder = await temporaryFolder()
  const [a, b, locker] = [join(folder, 'a'), join(folder, 'b'), newLocker()]
  const held = await newLocker().acquire(b)
  await expect(locker.acquireAll([b, a], { waitMs: 1 })).rejects.toBeInstanceOf(LockTimeoutError)
  expect(await locker.inspect(a)).toMatchObject({ state: 'free' })
  await expect(locker.acquireAll([a, join(folder, 'x/../a')])).rejects.toThrowError(/one lock twice/)
  await held.release()
  const locks = await locker.acquireAll([b, a])
  await locks[Symbol.asyncDispose]()
  expect(await locker.inspect(b)).toMatchObject({ state: 'free' })
})

test('acquireAll says that a lock was lost while it waited for another one', async () => {
  const folder = await temporaryFolder()
  const [a, b, locker] = [join(folder, 'a'), join(folder, 'b'), newLocker()]
  await (await Agent.start()).acquire(b)
  const waits = nextWait()
  const refused = locker.acquireAll([a, b], { waitMs: Infinity }).catch((error: unknown) => error)
  expect(await waits).toBe(b)
  await rm(a, { recursive: true })
  expect(await refused).toMatchObject({ code: 'LOCK_LOST', path: a })
})
