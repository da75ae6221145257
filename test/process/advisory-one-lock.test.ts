/**
 * File systems whose client makes one lock of flock and fcntl (GlusterFS, Lustre, and others that no table tells). Goal: the default,
 * which takes both, is had there, and keeps out programs that use either; where that cannot be found out, the message says what to
 * do. Method: a preloaded library makes a range of bytes of each flock, so that both calls exclude each other also within a process.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { LockerOptions } from '../../dist/index.js'
import { Bench } from './fixtures/locktester-driver.mjs'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { type MountedAs, type Refusing, refusing, shownAs } from './support/refusing.js'

const CALLS = ['flock', 'fcntl'] as const
const ADVISORY: LockerOptions = { lockType: 'advisory' }
const GLUSTERFS: MountedAs = { type: 'fuse.glusterfs', source: 'server:/volume' }
const SMB: MountedAs = { type: 'cifs', source: '//server/share', options: ['vers=3.1.1', 'nolease'] }
const SMB_OF_ITS_NODE: MountedAs = { ...SMB, options: ['vers=3.1.1', 'nolease', 'nobrl'] }
const CEPHFS: MountedAs = { type: 'ceph', source: '10.0.0.1:6789:/' }

let folder: string
let path: string
let refusal: Refusing
let env: Record<string, string>

/** What is started with `env` sees the folder as that mount. */
async function mountAs(on: MountedAs, areOne: boolean): Promise<void> {
  refusal = await refusing()
  folder = await temporaryFolder()
  path = join(folder, 'lock')
  env = { ...refusal.env, ...shownAs(folder, on), ...(areOne && { ONE_LOCK: '1' }) }
}

const start = (locker: LockerOptions = ADVISORY) => Agent.start({ locker, env })

const PROGRAM = `
import fcntl, sys
lock = {'flock': fcntl.flock, 'fcntl': fcntl.lockf}[sys.argv[2]]
with open(sys.argv[1], 'a+') as file:
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print('held', flush=True)
        sys.stdin.read()
    except BlockingIOError:
        print('busy')
`

/** What another program on that mount hears that tries it with one call, and gives it back at once. */
const answerTo = (call: string): string =>
  spawnSync('python3', ['-c', PROGRAM, path, call], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    input: '',
  }).stdout.trim()

/** Another program on that mount that holds it. @returns how to end it */
async function rival(call: string): Promise<() => Promise<void>> {
  const child = spawn('python3', ['-c', PROGRAM, path, call], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill())
  const [said] = await once(child.stdout, 'data')
  expect(String(said).trim()).toBe('held')
  return async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  }
}

async function keepsItOut(call: (typeof CALLS)[number]): Promise<void> {
  const end = await rival(call)
  const agent = await start()
  expect(await agent.ask('tryAcquire', { path })).toBeNull()
  await end()
  expect(await agent.ask('tryAcquire', { path })).not.toBeNull()
}

describe('where flock and fcntl are one lock', () => {
  beforeEach(() => mountAs(GLUSTERFS, true))

  test('the lock is had, keeps out programs that use either call, and nothing is left beside it', async () => {
    const agent = await start()
    const lock = (await agent.ask('tryAcquire', { path })) as { handle: number }
    expect(lock).not.toBeNull()
    expect(CALLS.map(answerTo)).toEqual(['busy', 'busy'])
    expect(readdirSync(folder)).toEqual(['lock'])
    expect(await agent.ask('release', lock)).toEqual({ lost: false })
    expect(CALLS.map(answerTo)).toEqual(['held', 'held'])
  })

  test.each(CALLS)('a program that holds it with %s keeps it out, and once it has ended the lock is had', keepsItOut)

  test('processes that name a call, and those that name none, exclude each other', async () => {
    const [both, ...named] = await Promise.all([start(), ...CALLS.map((advisoryKind) => start({ ...ADVISORY, advisoryKind }))])
    for (const [first, ...others] of [
      [both, ...named],
      [named[0], both, named[1]],
      [named[1], both, named[0]],
    ]) {
      const lock = (await first?.ask('tryAcquire', { path })) as { handle: number }
      expect(lock).not.toBeNull()
      for (const other of others) expect(await other?.ask('tryAcquire', { path })).toBeNull()
      await first?.ask('release', lock)
    }
  })

  test('the free file of an advisory lock makes way for a link-based lock', async () => {
    const advisory = await start()
    const lock = (await advisory.ask('tryAcquire', { path })) as { handle: number }
    const linked = await start({ lockType: 'linkbased' })
    expect(await linked.refusal(path)).toMatchObject({ code: 'FOREIGN_LOCK', message: expect.stringContaining('advisory lock') })
    await advisory.ask('release', lock)
    expect(await linked.tryAcquire(path)).not.toBeNull()
  })

  test('a log tells of no call that was left out', async () => {
    const logFile = join(await temporaryFolder(), 'log')
    const agent = await start({ ...ADVISORY, enableLogging: true, logFile })
    await agent.ask('release', (await agent.ask('tryAcquire', { path })) as object)
    await agent.ask('close')
    expect(readFileSync(logFile, 'utf8')).not.toContain('flock alone')
  })

  test('where no file can be made beside the lock, the refusal names the cause and the remedies, and nothing stays locked', async () => {
    const end = await rival('flock') // the file is there
    await end()
    refusal.refuse('create', constants.errno.EACCES, '.look- never')
    const agent = await start()
    const refused = await agent.refusal(path)
    expect(refused).toMatchObject({ code: 'ACCESS_DENIED', path: folder })
    expect(refused.message).toContain('may take flock and fcntl for one lock, and no file can be made beside the lock')
    expect(refused.advice).toMatch(/permission to write in that directory, or name one call: advisoryKind 'flock'/)
    expect(CALLS.map(answerTo)).toEqual(['held', 'held'])
    const named = await start({ ...ADVISORY, advisoryKind: 'flock' })
    expect(await named.ask('tryAcquire', { path })).not.toBeNull()
  })
})

describe('on SMB, where they are one lock, and flock does not exclude', () => {
  const NOT_FLOCK = /flock does not exclude: another process of the same node that closes the file ends it on the server/
  const IS_UNSAFE = { name: 'LockFileSystemError', code: 'FLOCK_UNSAFE', message: expect.stringMatching(NOT_FLOCK) }

  beforeEach(async () => {
    await mountAs(SMB, true)
    // Whatever asks for a flock there is told this error, and has none.
    refusal.refuse('flock', constants.errno.EIO, '/lock never')
  })

  test('the default takes fcntl alone, which keeps out programs that use either call', async () => {
    const agent = await start()
    const lock = (await agent.ask('tryAcquire', { path })) as object
    expect(lock).not.toBeNull()
    expect(await agent.ask('inspect', { path })).toMatchObject({ state: 'held' })
    refusal.refuse('flock', 0, '/no-other-path')
    expect(CALLS.map(answerTo)).toEqual(['busy', 'busy'])
    expect(await agent.ask('release', lock)).toEqual({ lost: false })
    expect(CALLS.map(answerTo)).toEqual(['held', 'held'])
  })

  test('one of its two calls that another program holds is seen by inspect and status without a flock', async () => {
    refusal.refuse('flock', 0, '/no-other-path')
    for (const call of CALLS) {
      const end = await rival(call)
      refusal.refuse('flock', constants.errno.EIO, '/lock never')
      const named = await start({ ...ADVISORY, advisoryKind: 'flock' })
      expect(await named.ask('inspect', { path })).toMatchObject({ state: 'held' })
      refusal.refuse('flock', 0, '/no-other-path')
      await end()
    }
  })

  test('a locker that names flock is refused before anything is made, and told to name none', async () => {
    const agent = await start({ ...ADVISORY, advisoryKind: 'flock' })
    for (const call of ['tryAcquire', 'acquire'] as const) {
      const refused = await agent.refusal(path, call)
      expect(refused).toMatchObject(IS_UNSAFE)
      expect(refused.advice).toMatch(/Leave advisoryKind out.*or use lock-type=linkbased.*nothing was locked/)
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test.each(['both', 'flock', 'fcntl'] as const)(
    'blocking calls are refused before anything is made, with what they could use (%s)',
    async (advisoryKind) => {
      const agent = await start({ ...ADVISORY, advisoryKind })
      for (const call of ['tryAcquireSync', 'acquireSync'] as const) {
        const refused = await agent.refusal(path, call)
        expect(refused).toMatchObject(IS_UNSAFE)
        expect(refused.message).toContain('fs-ext cannot take an fcntl lock with a blocking call')
        expect(refused.advice).toMatch(/Use the asynchronous acquire, or use lock-type=linkbased.*nothing was locked/)
      }
      expect(readdirSync(folder)).toEqual([])
    },
  )

  test('worker threads are refused before anything is made, with what they could use', () => {
    const library = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)
    const program = `
      const { isMainThread, Worker, parentPort } = require('node:worker_threads')
      if (isMainThread) new Worker(process.argv[1], { eval: true, argv: process.argv.slice(1) }).on('message', console.log)
      else import(${library}).then(async ({ createLocker }) => {
        for (const advisoryKind of ['both', 'flock', 'fcntl']) {
          const locker = createLocker({ lockType: 'advisory', advisoryKind })
          parentPort.postMessage(await locker.tryAcquire(process.argv[3]).then(() => 'acquired', ({ code, advice }) => code + ' ' + advice))
        }
      })`
    const ran = spawnSync(process.execPath, ['-e', program, program, path], { env: { ...process.env, ...env }, encoding: 'utf8' })
    expect(ran.stderr).toBe('')
    const said = ran.stdout.trim().split('\n')
    expect(said).toHaveLength(3)
    for (const line of said) expect(line).toMatch(/^FLOCK_UNSAFE Acquire it in the main thread, or use lock-type=linkbased/)
    expect(readdirSync(folder)).toEqual([])
  })

  test('an fcntl lock that is answered EACCES, after the file was opened, is busy', async () => {
    refusal.refuse('fcntl', constants.errno.EACCES, '/lock never')
    expect(await (await start()).ask('tryAcquire', { path })).toBeNull()
  })
})

test('with nobrl, where all locks stay on the node, both calls are taken as on any mount of which that is so', async () => {
  await mountAs(SMB_OF_ITS_NODE, false)
  const lock = (await (await start()).ask('tryAcquire', { path })) as object
  expect(lock).not.toBeNull()
  expect(CALLS.map(answerTo)).toEqual(['busy', 'busy'])
  const named = await start({ ...ADVISORY, advisoryKind: 'flock' })
  expect(await named.ask('tryAcquire', { path })).toBeNull()
})

describe('where they do not see each other, on a mount of which nothing tells', () => {
  beforeEach(() => mountAs(CEPHFS, false))

  test('both calls are taken', async () => {
    const agent = await start()
    const lock = (await agent.ask('tryAcquire', { path })) as object
    expect(CALLS.map(answerTo)).toEqual(['busy', 'busy'])
    await agent.ask('release', lock)
    expect(CALLS.map(answerTo)).toEqual(['held', 'held'])
  })

  test.each(CALLS)('a program that holds it with %s keeps it out', keepsItOut)
})

describe('doctor', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => bench.close())

  test.each([
    [GLUSTERFS, true, /flock and fcntl are one lock here/],
    [CEPHFS, false, /flock and fcntl do not see each other here/],
  ])('says of %j whether both calls are one lock (%s)', async (on, areOne, seen) => {
    await mountAs(on, areOne)
    const doctor = bench.locktester(['doctor', '--json', folder], { env })
    await doctor.end
    const { findings } = JSON.parse(doctor.stdout) as { findings: { code: string; seen: string }[] }
    expect(findings.find(({ code }) => code === 'ADVISORY_CALLS')).toMatchObject({
      severity: 'ok',
      seen: expect.stringMatching(seen),
    })
  })
})
