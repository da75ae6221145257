/**
 * The interface of `proper-lockfile`. Goal: what its documentation shows works the same with ours, and where the two differ
 * they differ as docs/from-proper-lockfile.md says. Method: processes that use the one package or the other, and the same
 * tests for both; then what only one of them does; then the two on one path.
 */

import { execFile } from 'node:child_process'
import defaultFs, * as fs from 'node:fs'
import { mkdir, readdir, readFile, realpath, rm, rmdir, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pauses, type Retries, retry } from '../../src/compat/retries.js'
import { Peer } from './fixtures/changeover-driver.mjs'
import { temporaryFolder } from './support/folder.js'
import { outlast } from './support/time.js'
import { PATIENCE } from './support/waiting.js'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')
const PACKAGES = ['mountlock', 'proper-lockfile'] as const
type Package = (typeof PACKAGES)[number]

let folder: string
let file: string

beforeEach(async () => {
  folder = await realpath(await temporaryFolder())
  file = join(folder, 'some-file')
  await writeFile(file, '')
})
afterEach(() => Peer.endAll())

const start = (name: Package) => new Peer('compat-agent.mjs', { package: name })
const code = async (answer: ReturnType<Peer['ask']>) => (await answer).error?.code

describe.each(PACKAGES)('%s', (name) => {
  test('a lock keeps other processes out until it is released, and check tells', async () => {
    const [one, other] = [start(name), start(name)]
    expect(await one.ask({ op: 'check', file })).toEqual({ value: false })
    expect(await one.ask({ op: 'lock', file })).toEqual({ value: 0 })
    for (const op of ['check', 'checkSync']) {
      expect(await one.ask({ op, file })).toEqual({ value: true })
      expect(await other.ask({ op, file })).toEqual({ value: true })
    }
    expect((await other.ask({ op: 'lock', file })).error).toMatchObject({
      code: 'ELOCKED',
      message: 'Lock file is already being held',
      file,
    })
    expect((await one.ask({ op: 'lock', file })).error).toMatchObject({ code: 'ELOCKED', file })
    expect(await one.ask({ op: 'release' })).toEqual({ value: null })
    for (const op of ['check', 'checkSync']) expect(await other.ask({ op, file })).toEqual({ value: false })
    expect(await other.ask({ op: 'lock', file })).toEqual({ value: 0 })
  })

  test('the same with blocking calls', async () => {
    const [one, other] = [start(name), start(name)]
    expect(await one.ask({ op: 'lockSync', file })).toEqual({ value: 0 })
    expect((await other.ask({ op: 'lockSync', file })).error).toMatchObject({ code: 'ELOCKED', file })
    expect(await one.ask({ op: 'release' })).toEqual({ value: null })
    expect(await other.ask({ op: 'lockSync', file })).toEqual({ value: 0 })
    expect(await other.ask({ op: 'unlockSync', file })).toEqual({ value: null })
    expect(await one.ask({ op: 'lock', file })).toEqual({ value: 1 })
  })

  test('blocking calls refuse to try again', async () => {
    const peer = start(name)
    for (const retries of [1, { retries: 2 }])
      expect((await peer.ask({ op: 'lockSync', file, options: { retries } })).error).toMatchObject({
        code: 'ESYNC',
        message: 'Cannot use retries with the sync api',
      })
    expect(await peer.ask({ op: 'lockSync', file, options: { retries: 0 } })).toEqual({ value: 0 })
    // One object of options often serves all calls.
    for (const op of ['checkSync', 'unlockSync']) {
      expect(await code(peer.ask({ op, file, options: { retries: 1 } }))).toBe('ESYNC')
      expect(await code(peer.ask({ op: op.replace('Sync', ''), file, options: { retries: 1 } }))).toBe(undefined)
    }
  })

  test('unlock releases what this process has locked, and nothing else', async () => {
    const [one, other] = [start(name), start(name)]
    await one.ask({ op: 'lock', file })
    expect((await other.ask({ op: 'unlock', file })).error).toMatchObject({
      code: 'ENOTACQUIRED',
      message: 'Lock is not acquired/owned by you',
    })
    expect(await one.ask({ op: 'unlock', file })).toEqual({ value: null })
    expect(await code(one.ask({ op: 'unlock', file }))).toBe('ENOTACQUIRED')
    expect(await code(one.ask({ op: 'unlockSync', file }))).toBe('ENOTACQUIRED')
    expect((await one.ask({ op: 'release' })).error).toMatchObject({ code: 'ERELEASED', message: 'Lock is already released' })
    expect(await other.ask({ op: 'lock', file })).toEqual({ value: 0 })
    expect(await code(one.ask({ op: 'release' }))).toBe('ERELEASED')
    expect(await one.ask({ op: 'check', file })).toEqual({ value: true })
  })

  test('the file must exist, unless realpath is false', async () => {
    const peer = start(name)
    const missing = join(folder, 'missing')
    for (const op of ['lock', 'lockSync', 'unlock', 'unlockSync', 'check', 'checkSync'])
      expect(await code(peer.ask({ op, file: missing }))).toBe('ENOENT')
    const options = { realpath: false }
    expect(await peer.ask({ op: 'check', file: missing, options })).toEqual({ value: false })
    expect(await peer.ask({ op: 'lock', file: missing, options })).toEqual({ value: 0 })
    expect(await peer.ask({ op: 'check', file: missing, options })).toEqual({ value: true })
    expect(await readdir(folder)).toContain('missing.lock')
    expect(await peer.ask({ op: 'unlock', file: missing, options })).toEqual({ value: null })
  })

  test('realpath that is there and says nothing means false, and a slash behind the name of a file is passed over', async () => {
    const peer = start(name)
    const missing = join(folder, 'missing')
    for (const realpath of [null, 0, '']) {
      expect(await peer.ask({ op: 'lock', file: missing, options: { realpath } })).toHaveProperty('value')
      expect(await peer.ask({ op: 'checkSync', file: missing, options: { realpath } })).toEqual({ value: true })
      expect(await peer.ask({ op: 'unlockSync', file: missing, options: { realpath } })).toEqual({ value: null })
    }
    expect(await peer.ask({ op: 'lock', file: `${file}/` })).toHaveProperty('value')
    for (const op of ['check', 'checkSync']) expect(await peer.ask({ op, file })).toEqual({ value: true })
  })

  test('a symbolic link to a file is that file, unless realpath is false', async () => {
    const peer = start(name)
    const link = join(folder, 'link')
    await symlink(file, link)
    await peer.ask({ op: 'lock', file })
    expect((await peer.ask({ op: 'lock', file: link })).error).toMatchObject({ code: 'ELOCKED', file })
    expect(await peer.ask({ op: 'lock', file: link, options: { realpath: false } })).toEqual({ value: 1 })
  })

  test('the lock can lie elsewhere', async () => {
    const [one, other] = [start(name), start(name)]
    const options = { lockfilePath: join(folder, 'dir.lock') }
    expect(await one.ask({ op: 'lock', file: folder, options })).toEqual({ value: 0 })
    expect(await readdir(folder)).toContain('dir.lock')
    expect(await code(other.ask({ op: 'lock', file, options }))).toBe('ELOCKED')
    expect(await other.ask({ op: 'check', file: folder, options })).toEqual({ value: true })
    expect(await other.ask({ op: 'check', file: folder })).toEqual({ value: false })
    expect(await one.ask({ op: 'unlock', file: folder, options })).toEqual({ value: null })
    expect(await other.ask({ op: 'lock', file, options })).toEqual({ value: 0 })
  })

  test('intervals that are no numbers, or too short, are no error', async () => {
    const peer = start(name)
    const odd = [
      { stale: 'long' },
      { stale: '5000' },
      { stale: 1, update: 1 },
      { update: 'often' },
      { stale: null, update: null },
    ]
    for (const options of odd) {
      expect(await peer.ask({ op: 'lock', file, options })).toMatchObject({ value: expect.any(Number) })
      expect(await peer.ask({ op: 'unlock', file })).toEqual({ value: null })
    }
  })

  test('it is tried for ever where forever is asked for', async () => {
    const [one, other] = [start(name), start(name)]
    await one.ask({ op: 'lock', file })
    const waiting = other.ask({ op: 'lock', file, options: { retries: { forever: true, minTimeout: 10, maxTimeout: 50 } } })
    expect(await one.ask({ op: 'check', file })).toEqual({ value: true })
    await one.ask({ op: 'unlock', file })
    expect(await waiting).toEqual({ value: 0 })
  })

  test('the file is the same by whatever path it is named', async () => {
    const peer = start(name)
    const detour = `${folder}/./${basename(file)}`
    await peer.ask({ op: 'lockSync', file })
    expect(await code(peer.ask({ op: 'lockSync', file: detour }))).toBe('ELOCKED')
    expect(await peer.ask({ op: 'unlockSync', file: detour })).toEqual({ value: null })
    expect(await peer.ask({ op: 'lock', file: detour, options: { realpath: false } })).toMatchObject({
      value: expect.any(Number),
    })
    expect(await peer.ask({ op: 'unlock', file, options: { realpath: false } })).toEqual({ value: null })
  })

  test('unlock resolves also where it is told another place of the lock', async () => {
    const peer = start(name)
    await peer.ask({ op: 'lock', file })
    const options = { lockfilePath: join(folder, 'elsewhere') }
    expect(await peer.ask({ op: 'unlock', file, options })).toEqual({ value: null })
  })

  test('without a directory for the lock there is an error, and no lock', async () => {
    const peer = start(name)
    const options = { lockfilePath: join(folder, 'missing', 'dir.lock') }
    expect(await code(peer.ask({ op: 'lock', file, options }))).toBe('ENOENT')
    expect(await code(peer.ask({ op: 'lockSync', file, options }))).toBe('ENOENT')
    expect(await peer.ask({ op: 'check', file, options })).toEqual({ value: false })
    expect(await peer.ask({ op: 'checkSync', file, options })).toEqual({ value: false })
  })

  test('retries wait for the holder, and give up with its error', async () => {
    const [one, other] = [start(name), start(name)]
    await one.ask({ op: 'lock', file })
    const brief = { retries: 2, minTimeout: 20, factor: 1 }
    expect(await code(other.ask({ op: 'lock', file, options: { retries: brief } }))).toBe('ELOCKED')
    const waiting = other.ask({ op: 'lock', file, options: { retries: { retries: 400, minTimeout: 20, factor: 1 } } })
    await setTimeout(200)
    await one.ask({ op: 'release' })
    expect(await waiting).toEqual({ value: 0 })
  })

  test.each(['exit', 'return'])('a process that ends by %s leaves nothing locked', async (op) => {
    const [one, other] = [start(name), start(name)]
    await one.ask({ op: 'lock', file })
    await one.ask({ op })
    expect((await one.ended).code).toBe(0)
    expect(await other.ask({ op: 'lock', file })).toEqual({ value: 0 })
  })

  test('processes that count under the lock lose nothing', async () => {
    const counter = join(folder, 'counter')
    await writeFile(counter, '0')
    const peers = [start(name), start(name), start(name)]
    const answers = await Promise.all(peers.map((peer) => peer.ask({ op: 'increment', file, counter, times: 20 })))
    expect(answers.map(({ error }) => error)).toEqual([undefined, undefined, undefined])
    expect(await readFile(counter, 'utf8')).toBe('60')
  })

  test('a release function of a lock that was lost rejects, and onCompromised was told once', async () => {
    const [slow, next] = [start(name), start(name)]
    const options = { stale: 2000, update: 1000, onCompromised: 'tell' }
    await slow.ask({ op: 'lock', file, options })
    slow.child.kill('SIGSTOP')
    const patient = { stale: 2000, retries: { retries: 60, minTimeout: 200, factor: 1 } }
    expect(await next.ask({ op: 'lock', file, options: patient })).toEqual({ value: 0 })
    slow.child.kill('SIGCONT')
    const told = async () => (await slow.ask({ op: 'compromised' })).value
    await expect.poll(told, PATIENCE).toMatchObject([{ code: 'ECOMPROMISED' }])
    expect(await code(slow.ask({ op: 'release' }))).toBe('ERELEASED')
    expect(await code(slow.ask({ op: 'unlock', file }))).toBe('ENOTACQUIRED')
    expect(await slow.ask({ op: 'check', file })).toEqual({ value: true })
    // In which it would be told again, if it were.
    await outlast(1500)
    expect(await told()).toHaveLength(1)
  })
})

test('null in place of options means none, in every function', async () => {
  for (const name of PACKAGES) {
    const one = start(name)
    const ask = (op: string) => one.ask({ op, file, options: null })
    expect(await ask('check'), name).toEqual({ value: false })
    await ask('lock')
    expect(await ask('check'), name).toEqual({ value: true })
    expect(await ask('unlock'), name).not.toHaveProperty('error')
    expect(await ask('lockSync'), name).not.toHaveProperty('error')
    expect(await ask('checkSync'), name).toEqual({ value: true })
    expect(await ask('unlockSync'), name).not.toHaveProperty('error')
    await one.end()
    await rm(`${file}.lock`, { recursive: true, force: true })
  }
})

describe('what differs', () => {
  test('without onCompromised a lost lock is a warning, and no exception that ends the process', async () => {
    for (const name of PACKAGES) {
      const slow = start(name)
      await slow.ask({ op: 'lock', file, options: { stale: 2000, update: 1000 } })
      slow.child.kill('SIGSTOP')
      const next = start(name)
      const retries = { retries: 60, minTimeout: 200, factor: 1 }
      expect(await next.ask({ op: 'lock', file, options: { stale: 2000, retries } })).toEqual({ value: 0 })
      slow.child.kill('SIGCONT')
      if (name === 'mountlock') {
        await expect.poll(() => slow.stderr, PATIENCE).toContain('LockCompromisedWarning: A lock may have been lost')
        expect(await slow.ask({ op: 'check', file })).toEqual({ value: true })
      } else {
        expect((await slow.ended).code).toBe(1)
        expect(slow.stderr).toContain('ECOMPROMISED')
      }
      await next.ask({ op: 'unlock', file })
      await rm(`${file}.lock`, { recursive: true, force: true })
    }
  })

  test('the lock of a process that was killed on this host is free at once, not when it is stale', async () => {
    for (const name of PACKAGES) {
      const [holder, next] = [start(name), start(name)]
      await holder.ask({ op: 'lock', file })
      await holder.end()
      expect(await next.ask({ op: 'check', file })).toEqual({ value: name !== 'mountlock' })
      const answer = await next.ask({ op: 'lock', file })
      if (name === 'mountlock') expect(answer).toEqual({ value: 0 })
      else expect(answer.error?.code).toBe('ELOCKED')
      await next.end()
      await rm(`${file}.lock`, { recursive: true, force: true })
    }
  })

  test('the clock of a client does not make a live lock stale', async () => {
    for (const name of PACKAGES) {
      const [holder, next] = [start(name), start(name)]
      await holder.ask({ op: 'lock', file })
      const longAgo = new Date(Date.now() - 60_000)
      await utimes(`${file}.lock`, longAgo, longAgo)
      const answer = await next.ask({ op: 'lock', file })
      if (name === 'mountlock') expect(answer.error?.code).toBe('ELOCKED')
      else expect(answer).toEqual({ value: 0 })
      await Promise.all([holder.end(), next.end()])
      await rm(`${file}.lock`, { recursive: true, force: true })
    }
  })

  test('the option fs is refused', async () => {
    const peer = start('mountlock')
    for (const op of ['lock', 'lockSync', 'unlock', 'unlockSync', 'check', 'checkSync'])
      expect((await peer.ask({ op, file, options: { fs: {} } })).error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('The option `fs` of proper-lockfile is not supported'),
      })
  })

  test('what is no path is refused, and named', async () => {
    const peer = start('mountlock')
    for (const op of ['lock', 'lockSync', 'unlock', 'unlockSync', 'check', 'checkSync'])
      expect((await peer.ask({ op, file: 5 as never })).error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: 'Expected the file to lock to be a path, got 5. Correct the call.',
      })
  })

  test('the lock directory stays, and unlock finds a lock of the file wherever it lies', async () => {
    const peer = start('mountlock')
    await peer.ask({ op: 'lock', file, options: { lockfilePath: join(folder, 'elsewhere') } })
    expect(await peer.ask({ op: 'unlock', file })).toEqual({ value: null })
    expect(await readdir(folder)).toContain('elsewhere')
  })
})

describe('the two on one path', () => {
  test('a lock of the real package is respected and not touched, however old; when it is gone, ours is had', async () => {
    const [theirs, ours] = [start('proper-lockfile'), start('mountlock')]
    await theirs.ask({ op: 'lock', file })
    for (const op of ['lock', 'lockSync']) {
      const { error } = await ours.ask({ op, file })
      expect(error).toMatchObject({ code: 'ELOCKED', file })
      expect(error?.message).toContain('by proper-lockfile itself')
    }
    for (const op of ['check', 'checkSync']) expect(await ours.ask({ op, file })).toEqual({ value: true })
    expect(await readdir(`${file}.lock`)).toEqual([])
    await theirs.ask({ op: 'release' })
    expect(await ours.ask({ op: 'lock', file })).toEqual({ value: 0 })

    const other = join(folder, 'other')
    await writeFile(other, '')
    await mkdir(`${other}.lock`)
    const longAgo = new Date(0)
    await utimes(`${other}.lock`, longAgo, longAgo)
    const { ino } = await stat(`${other}.lock`)
    expect(await code(ours.ask({ op: 'lock', file: other }))).toBe('ELOCKED')
    expect((await stat(`${other}.lock`)).ino).toBe(ino)
    await rmdir(`${other}.lock`)
    expect(await ours.ask({ op: 'lock', file: other })).toEqual({ value: 1 })
  })

  test('ours is respected by the real package, also when it takes it for stale', async () => {
    const [theirs, ours] = [start('proper-lockfile'), start('mountlock')]
    await ours.ask({ op: 'lock', file })
    expect(await code(theirs.ask({ op: 'lock', file }))).toBe('ELOCKED')
    // What lies below its generation is removed in the background, which makes the directory young again.
    await expect.poll(() => readdir(`${file}.lock`), PATIENCE).toHaveLength(2)
    const longAgo = new Date(0)
    await utimes(`${file}.lock`, longAgo, longAgo)
    expect(await code(theirs.ask({ op: 'lock', file }))).toBe('ENOTEMPTY')
    expect(await ours.ask({ op: 'release' })).toEqual({ value: null })
  })

  test('beside busy processes of the real package, ours is refused with ELOCKED and with nothing else', async () => {
    const ours = [start('mountlock'), start('mountlock')]
    const theirs = [start('proper-lockfile'), start('proper-lockfile')]
    const told = await Promise.all([...ours, ...theirs].map((agent) => agent.ask({ op: 'hammer', file, ms: 2000 })))
    const outcomes = told.slice(0, 2).map(({ value }) => value as Record<string, number>)
    for (const outcome of outcomes)
      expect(Object.keys(outcome).filter((name) => name !== 'had' && name !== 'ELOCKED')).toEqual([])
    expect(outcomes.reduce((sum, { had = 0 }) => sum + had, 0)).toBeGreaterThan(0)
  })

  test('a process that waits for the real package gets the lock when that releases it', async () => {
    const [theirs, ours] = [start('proper-lockfile'), start('mountlock')]
    await theirs.ask({ op: 'lock', file })
    const waiting = ours.ask({ op: 'lock', file, options: { retries: { retries: 400, minTimeout: 20, factor: 1 } } })
    await setTimeout(200)
    expect(await theirs.ask({ op: 'release' })).toEqual({ value: null })
    expect(await waiting).toEqual({ value: 0 })
  })
})

test('moving over is one changed import, by import and by require', async () => {
  const example = `
    const release = await lockfile.lock(file)
    const isLocked = await lockfile.check(file)
    await release()
    const releaseOther = await lockfile(file)
    await lockfile.unlock(file)
    console.log(isLocked, await lockfile.check(file))
    process.exit()`
  for (const name of ['mountlock/proper-lockfile', 'proper-lockfile']) {
    const esm = `import lockfile from '${name}'; const file = ${JSON.stringify(file)};${example}`
    const cjs = `const lockfile = require('${name}'); const file = ${JSON.stringify(file)}; (async () => {${example}})()`
    for (const args of [
      ['--input-type=module', '-e', esm],
      ['--input-type=commonjs', '-e', cjs],
    ])
      expect((await run(process.execPath, args, { cwd: ROOT })).stdout, args.join(' ')).toBe('true false\n')
    await rm(`${file}.lock`, { recursive: true, force: true })
  }
})

test('the pauses between retries are those of the package retry', async () => {
  const theirs = createRequire(import.meta.url)('retry') as { timeouts(options: unknown): number[] }
  for (const options of [{}, { retries: 3 }, { retries: 5, factor: 1.5, minTimeout: 10, maxTimeout: 40 }, { retries: 0 }])
    expect([...pauses(options)]).toEqual(theirs.timeouts(options))
  expect([...pauses(3)]).toEqual(theirs.timeouts({ retries: 3 }))
  // What callers hand over by mistake, or by habit: the package has an answer to all of it.
  const odd = [
    [5, 1, 3],
    [],
    '3',
    true,
    { retries: undefined },
    { factor: null },
    { minTimeout: 0 },
    { retries: 2.5 },
    { factor: 0.5 },
  ]
  for (const options of odd) expect([...pauses(options as Retries)], JSON.stringify(options)).toEqual(theirs.timeouts(options))
  fc.assert(
    fc.property(
      fc.record(
        {
          retries: fc.integer({ min: -1, max: 12 }),
          factor: fc.double({ min: 0, max: 4, noNaN: true }),
          minTimeout: fc.integer({ min: 0, max: 5000 }),
          maxTimeout: fc.integer({ min: 5000, max: 20_000 }),
        },
        { requiredKeys: [] },
      ),
      (options) => {
        expect([...pauses(options)]).toEqual(theirs.timeouts(options))
      },
    ),
  )
  const endless = pauses({ retries: Infinity, minTimeout: 1, maxTimeout: 3 })
  expect(Array.from({ length: 4 }, () => endless.next().value)).toEqual([1, 2, 3, 3])
  for (const none of [0, null, undefined]) expect([...pauses(none)]).toEqual([])
  for (const pause of pauses({ retries: 4, minTimeout: 100, factor: 1, randomize: true })) {
    expect(pause).toBeGreaterThanOrEqual(100)
    expect(pause).toBeLessThanOrEqual(200)
  }
  const forever = pauses({ forever: true, retries: 2, minTimeout: 5 })
  expect(Array.from({ length: 5 }, () => forever.next().value)).toEqual([5, 10, 5, 10, 5])
  expect(() => [...pauses({ minTimeout: 2, maxTimeout: 1 })]).toThrow('minTimeout is greater than maxTimeout')
})

test('of the errors of many tries the most frequent one is thrown, the last of those that came equally often', async () => {
  const thrown = async (...messages: string[]) => {
    let tries = 0
    const work = () => Promise.reject(new Error(messages[tries++]))
    return await retry(work, Array<number>(messages.length - 1).fill(0)).catch((error: Error) => error.message)
  }
  expect(await thrown('busy', 'busy', 'torn')).toBe('busy')
  expect(await thrown('busy', 'torn')).toBe('torn')
})

test("Node's own fs is accepted in every form in which code hands it over, and what only looks like it is refused", async () => {
  const require = createRequire(import.meta.url)
  const lockfile = (await import('../../dist/compat/proper-lockfile.js')).default
  const forms = {
    default: defaultFs,
    namespace: fs,
    copy: { ...defaultFs },
    'graceful-fs': require('graceful-fs'),
    inherited: Object.create(defaultFs),
    none: null,
  }
  for (const [name, form] of Object.entries(forms)) {
    await (
      await lockfile.lock(file, { fs: form })
    )()
    lockfile.lockSync(file, { fs: form })()
    expect(await lockfile.check(file, { fs: form }), name).toBe(false)
  }
  // A program that traces its calls puts functions of its own in their place: before that a copy was taken, or after it.
  const { mkdir } = defaultFs
  const traced = (...args: Parameters<typeof mkdir>) => mkdir(...args)
  defaultFs.mkdir = Object.assign(traced, mkdir)
  syncBuiltinESMExports()
  try {
    for (const form of [forms.copy, { ...defaultFs }, fs]) await (await lockfile.lock(file, { fs: form }))()
  } finally {
    defaultFs.mkdir = mkdir
    syncBuiltinESMExports()
  }
  const inMemory = { ...defaultFs, mkdir: () => {} }
  for (const other of [inMemory, fs.promises, {}, 'fs'])
    await expect(lockfile.lock(file, { fs: other })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
