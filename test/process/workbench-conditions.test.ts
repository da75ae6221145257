/**
 * Locks that Workbench respects too, where something is not as it should be: what cannot be done is refused with the way out,
 * nothing is half taken, and nothing of another user is touched.
 */

import { spawnSync } from 'node:child_process'
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createLocker, type LockerOptions } from '../../dist/index.js'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'
import { memoryShare } from './support/image.js'

const LIBRARY = new URL('../../dist/index.js', import.meta.url).href
const OURS = { refreshRateMs: 1000, timeoutIntervalMs: 4000, workbench: { timeoutIntervalMs: 4000 } } as const

let folder: string
let path: string

beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder, 'locktester_file')
})

function lockerWith(options: LockerOptions) {
  const locker = createLocker({ ...OURS, ...options })
  onTestFinished(() => locker.close())
  return locker
}

describe('without fcntl at hand', () => {
  const REMEDY = 'workbench: { advisory: false }'

  test('a blocking call is refused, and nothing is made', async () => {
    expect(() => lockerWith({ workbench: true }).tryAcquireSync(path)).toThrow(REMEDY)
    expect(() => lockerWith({ workbench: true }).acquireSync(path)).toThrow(REMEDY)
    expect(await readdir(folder)).toEqual([])
  })

  test('with advisory: false blocking calls lock, keep the file alive, and leave the released name', async () => {
    const locker = lockerWith({ workbench: { advisory: false, timeoutIntervalMs: 4000 } })
    const lock = locker.acquireSync(path)
    expect(await readFile(path, 'utf8')).toBe('1\n')
    expect(lockerWith({ workbench: { advisory: false } }).tryAcquireSync(path)).toBeNull()
    expect(lock.releaseSync()).toEqual({ lost: false })
    await locker.close()
    expect(await readFile(path, 'utf8')).toBe('-1\n')
  })

  test('with advisory: false an empty file is refused, for a session may hold it', async () => {
    await writeFile(path, '')
    const locker = lockerWith({ workbench: { advisory: false } })
    await expect(locker.tryAcquire(path)).rejects.toMatchObject({
      code: 'FOREIGN_LOCK',
      message: expect.stringContaining('lock-type=advisory'),
    })
    expect(await readFile(path, 'utf8')).toBe('')
  })

  test.each([
    ['without the addon', ['--no-addons'], 'FS_EXT_ADDONS_DISABLED'],
    ['with it', [], 'held'],
  ] as const)('%s: %s', (_, flags, expected) => {
    const program = `
      const { createLocker } = await import(${JSON.stringify(LIBRARY)})
      const locker = createLocker({ workbench: true })
      const lock = await locker.tryAcquire(${JSON.stringify(path)}).catch(({ code }) => ({ held: code }))
      console.log(lock.held === true ? 'held' : lock.held)
      await locker.close()`
    const { stdout } = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program], { encoding: 'utf8' })
    expect(stdout.trim()).toBe(expected)
  })

  test('in a worker thread it is refused with the way out', () => {
    const inWorker = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.library).then(async ({ createLocker }) => {
        const locker = createLocker({ workbench: true })
        parentPort.postMessage(await locker.tryAcquire(workerData.path).then(() => 'acquired', ({ message }) => message))
      })`
    const program = `
      const { Worker } = require('node:worker_threads')
      const workerData = ${JSON.stringify({ library: LIBRARY, path })}
      new Worker(${JSON.stringify(inWorker)}, { eval: true, workerData }).on('message', (text) => (console.log(text), process.exit()))`
    const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' })
    expect(stdout).toContain(REMEDY)
  })
})

test.skipIf(process.getuid?.() !== 0)("root is refused in a user's directory, with the command to use", async () => {
  await chown(folder, 1000, 1000)
  const locker = lockerWith({ workbench: true })
  await expect(locker.acquire(path)).rejects.toMatchObject({
    code: 'NOT_PERMITTED',
    message: expect.stringContaining('runuser -u'),
  })
  expect(await readdir(folder)).toEqual([])
})

describe.skipIf(process.getuid?.() !== 0)('a file of another user at the public path', () => {
  const ANN = 4241

  /** Ann's directory, with a file of root's. */
  async function annMeets(text: string, mode: number): Promise<Agent> {
    await writeFile(path, text)
    await chmod(path, mode)
    await chown(folder, ANN, ANN)
    const { fixtures } = await installation({ addon: true })
    return await Agent.start({ uid: ANN, fixtures, locker: OURS })
  }

  test('that may not be read is refused, and stays', async () => {
    const ann = await annMeets('-1\n', 0o600)
    expect(await ann.refusal(path, 'tryAcquire')).toMatchObject({
      code: 'FOREIGN_LOCK',
      message: expect.stringContaining('a file that this user may not read'),
    })
    await ann.ask('close')
    expect(await readFile(path, 'utf8')).toBe('-1\n')
    expect(await readdir(folder)).toEqual(['locktester_file'])
  })

  test('that is a document is refused, and stays', async () => {
    const ann = await annMeets('Dear Ann,', 0o644)
    expect(await ann.refusal(path, 'tryAcquire')).toMatchObject({ code: 'FOREIGN_LOCK' })
    expect(await readFile(path, 'utf8')).toBe('Dear Ann,')
  })
})

describe.skipIf(process.getuid?.() !== 0)('on a disk that is full between our lock and theirs', () => {
  // Our session file takes one page, the claims the next, their file the third.
  test.each([1, 2])('neither is held, and nothing is left (%i pages free)', async (pages) => {
    const share = await memoryShare('size=64k')
    const agent = await Agent.start({ on: share.space, locker: OURS })
    await share.space.run('cd "$1" && mkdir home && head -c "$2" /dev/zero >filler', share.path, String(65536 - pages * 4096))
    const target = `${share.path}/home/locktester_file`
    expect(await agent.refusal(target, 'tryAcquire')).toMatchObject({ code: 'NO_SPACE' })
    await share.space.run('rm "$1/filler"', share.path)
    const lock = await agent.acquire(target)
    expect(await lock.release()).toEqual({ lost: false })
    await agent.ask('close')
    expect((await share.space.run('ls -A "$1/home"', share.path)).trim()).toBe('locktester_file')
  })
})

/** Only the wall clock of the process is faked, by libfaketime. */
const FAKE_WALL_CLOCK = {
  LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1',
  DONT_FAKE_MONOTONIC: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  NO_FAKE_STAT: '1',
}

test.each([
  { by: '+1h', told: 'behind' },
  { by: '-1h', told: 'ahead of' },
])("a node's clock that is an hour off ($by) is told, and the lock is held all the same", ({ by, told }) => {
  const program = `
    process.on('warning', ({ code, message }) => console.log(code, message))
    const { createLocker } = await import(${JSON.stringify(LIBRARY)})
    const locker = createLocker(${JSON.stringify(OURS)})
    const lock = await locker.acquire(${JSON.stringify(path)})
    console.log(lock.held, (await lock.release()).lost)
    await locker.close()`
  const env = { ...process.env, ...FAKE_WALL_CLOCK, FAKETIME: by }
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', env })
  expect(stdout).toMatch(new RegExp(`^CLOCKS_DIFFER The file server's clock is 3[56]\\d{5} ms ${told} this node's`, 'm'))
  expect(stdout).toContain('true false')
})

test('what is made in a directory that passes its group on does the same', async () => {
  await chmod(folder, 0o2750)
  const lock = await lockerWith({}).acquire(path)
  expect((await stat(join(folder, '.locktester_file.mountlock'))).mode & 0o7777).toBe(0o2750)
  await lock.release()
})

test('inspect tells ours, theirs and nothing, and takes nothing', async () => {
  const locker = lockerWith({ workbench: true, label: 'a backup' })
  expect(await locker.inspect(path)).toMatchObject({ state: 'free' })
  const lock = await locker.acquire(path)
  expect(await locker.inspect(path)).toMatchObject({
    state: 'held',
    path,
    token: lock.token,
    holder: { label: 'a backup', pid: process.pid },
  })
  await lock.release()
  expect(await locker.inspect(path)).toMatchObject({ state: 'free' })
  await writeFile(path, '4711')
  expect(await locker.inspect(path)).toMatchObject({ state: 'held', holder: { pid: 4711, host: null } })
  await writeFile(path, '')
  expect((await locker.inspect(path)).state).toMatch(/^(free|unknown)$/)
  expect(await readdir(folder)).toEqual(['locktester_file'])
})

test('a lock is the same by all the names of its directory', async () => {
  const directory = join(folder, 'rstudio')
  await mkdir(directory)
  await symlink(directory, join(folder, 'link'))
  const locker = lockerWith({ workbench: true })
  const lock = await locker.acquire(join(directory, 'locktester_file'))
  expect(await locker.tryAcquire(join(folder, 'link/locktester_file'))).toBeNull()
  await lock.release()
})

test.each([
  [{ advisory: 'yes' }, /`workbench.advisory`/],
  [{ timeoutIntervalMs: 1000 }, /`workbench.timeoutIntervalMs`/],
  [{ symlinks: true }, /`symlinks`/],
])('an option that is not known, or not of its form, is refused (%j)', (workbench, message) => {
  expect(() => createLocker({ workbench: workbench as never })).toThrow(message)
})
