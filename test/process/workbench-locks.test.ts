/**
 * Locks that Workbench respects too, against sessions of both of its generations. Goal: the side that has the lock keeps the other out,
 * in each of their forms; nothing is left but the public name, whatever ends when; a holder hears at once when it is reaped.
 * Method: the specimens of the simulator, as processes with real files.
 */

import { spawnSync } from 'node:child_process'
import { cp, link, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createLocker, type Lock, type LockerOptions, type WorkbenchOptions } from '../../dist/index.js'
import { Peer } from './fixtures/changeover-driver.mjs'
import { temporaryFolder } from './support/folder.js'
import { workbenchSession, type SessionOptions } from './support/sessions.js'
import { outlast } from './support/time.js'

const TIMEOUT_MS = 4000
const OURS = { refreshRateMs: 1000, timeoutIntervalMs: 4000, workbench: { timeoutIntervalMs: TIMEOUT_MS } } as const
const THEIRS = { timeoutMs: TIMEOUT_MS, refreshMs: 1000 } as const

const FORMS = (['legacy', '2026'] as const).flatMap((form) =>
  (['link', 'symlink', 'advisory'] as const).map((kind) => ({ form, kind })),
)

let sources: string
let path: string

beforeEach(async () => {
  sources = join(await temporaryFolder(), 'sources')
  await mkdir(join(sources, 'session-1a2b3c4d'), { recursive: true })
  path = join(sources, 'session-1a2b3c4d/lock_file')
})
afterEach(() => Peer.endAll())

function ours(options: Omit<LockerOptions, 'workbench'> & { workbench?: WorkbenchOptions } = {}) {
  const locker = createLocker({ ...OURS, ...options, workbench: { ...OURS.workbench, ...options.workbench } })
  onTestFinished(() => locker.close())
  return locker
}

const session = (options: Pick<SessionOptions, 'form' | 'kind'> & Partial<SessionOptions>) =>
  workbenchSession({ path, ...THEIRS, ...options })

/** All names, and what is in each file; read only while nothing is held, for a read would drop an fcntl lock of this process. */
async function tree(folder = sources): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const seen: Record<string, string> = {}
  for (const entry of entries) {
    const full = join(entry.parentPath, entry.name)
    const what = entry.isDirectory()
      ? 'directory'
      : entry.isSymbolicLink()
        ? `-> ${await readlink(full)}`
        : await readFile(full, 'utf8')
    seen[full.slice(folder.length + 1)] = what
  }
  return seen
}

/** A link of ours goes when it is released, as a legacy one. */
const ONLY_RELEASED = { 'session-1a2b3c4d': 'directory', 'session-1a2b3c4d/lock_file': '-1\n' }

/** The reason with which its signal fires. */
async function lossOf(lock: Lock): Promise<string> {
  if (!lock.signal.aborted) await new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
  return (lock.signal.reason as { reason: string }).reason
}

describe.each(FORMS)('$form, $kind', ({ form, kind }) => {
  test.each([{ useSymlinks: false }, { useSymlinks: true }])(
    'keeps ours out, and is kept out ($useSymlinks)',
    async (options) => {
      const locker = ours(options)
      const theirs = await session({ form, kind })

      const lock = await locker.acquire(path)
      expect(await theirs.acquire()).toBe(false)
      // Longer than the interval: the file is refreshed, and stays ours.
      await outlast(TIMEOUT_MS * 1.3)
      expect(await theirs.acquire()).toBe(false)
      expect(lock.held).toBe(true)
      expect(await lock.release()).toEqual({ lost: false })

      expect(await theirs.acquire()).toBe(true)
      expect(await locker.tryAcquire(path)).toBeNull()
      await theirs.release()
      const again = await locker.acquire(path)
      expect(await theirs.acquire()).toBe(false)
      await again.release()
    },
  )
})

test.each([
  { useSymlinks: false, left: 'the public name, released' },
  { useSymlinks: true, left: 'what was there before' },
])('after a hundred takes nothing is left but $left (symbolic links: $useSymlinks)', async ({ useSymlinks }) => {
  const before = await tree()
  const locker = ours({ useSymlinks })
  let token = 0n
  for (let times = 0; times < 100; times++) {
    const lock = await locker.acquire(path)
    expect(lock.token).toBeGreaterThan(token)
    token = lock.token
    await lock.release()
  }
  expect(await tree()).toEqual(useSymlinks ? before : ONLY_RELEASED)
})

test('processes of ours exclude each other, and each token is higher than the last', async () => {
  const counter = join(await temporaryFolder(), 'counter')
  await writeFile(counter, '0')
  const peers = [0, 1, 2].map(() => new Peer('changeover-agent.mjs', { locker: OURS }))
  const seen = await Promise.all(peers.map((peer) => peer.ask({ op: 'hammer', path, file: counter, times: 10 })))
  expect(seen.map(({ error }) => error)).toEqual([undefined, undefined, undefined])
  expect(await readFile(counter, 'utf8')).toBe('30')
  const tokens = seen.flatMap(({ tokens }) => tokens as string[])
  expect(new Set(tokens).size).toBe(30)
  expect(await tree()).toEqual(ONLY_RELEASED)
})

/** At which of its operations a session of theirs dies: each in a full run. */
const DYING = process.env.MOUNTLOCK_SOAK === undefined ? [9, 21] : [...Array(60).keys()].map((at) => at + 1)

/** So many calls are made for one take and one release, at the most. */
const CALLS_MAX = 400
/** Each call in a full run. */
const STEP = process.env.MOUNTLOCK_SOAK === undefined ? 7 : 1

test('a process of ours that dies at any call leaves what the next one takes, and nothing else', async () => {
  const folder = await temporaryFolder()
  const places: { at: number; sources: string; path: string }[] = []
  for (let at = 1; at < CALLS_MAX; at += STEP) {
    const place = join(folder, `${at}/sources`)
    await mkdir(join(place, 'session-1a2b3c4d'), { recursive: true })
    const path = join(place, 'session-1a2b3c4d/lock_file')
    // What a session has released is locked and replaced: some calls more.
    if (at % 2 === 0) await writeFile(path, '-1\n')
    places.push({ at, sources: place, path })
    const peer = new Peer('changeover-agent.mjs', { locker: OURS, at })
    const taken = await peer.askUntilEnd({ op: 'tryAcquire', path: places.at(-1)?.path })
    expect(taken?.error).toBeUndefined()
    const isOver = taken !== null && (await peer.askUntilEnd({ op: 'release' })) !== null
    await peer.end()
    if (isOver) break
  }
  expect(places.length * STEP).toBeLessThan(CALLS_MAX)
  await outlast(2 * OURS.timeoutIntervalMs + 1000)
  for (const place of places) {
    const locker = ours()
    await (await locker.acquire(place.path)).release()
    await locker.close()
    expect(await tree(place.sources), `after call ${place.at}`).toEqual(ONLY_RELEASED)
  }
}, 600_000)

test.each(FORMS.filter(({ kind }) => kind !== 'advisory'))(
  'a session that died is taken over after its interval, and its other names go ($form, $kind)',
  async (what) => {
    const dead = await session(what)
    expect(await dead.acquire()).toBe(true)
    await dead.kill()
    const locker = ours()
    expect(await locker.tryAcquire(path)).toBeNull()
    const lock = await locker.acquire(path, { waitMs: 20_000 })
    await lock.release()
    const left = Object.entries(await tree()).filter(([name]) => !name.endsWith('.rstudio-lock-claims-41c29'))
    expect(Object.fromEntries(left)).toEqual(ONLY_RELEASED)
  },
)

test('a session takes over what a dead process of ours left, and ours takes it again', async () => {
  const peer = new Peer('changeover-agent.mjs', { locker: OURS })
  await peer.ask({ op: 'tryAcquire', path })
  await peer.end()
  const theirs = await session({ form: '2026', kind: 'link' })
  await outlast(TIMEOUT_MS + 1000)
  expect(await theirs.acquire()).toBe(true)
  expect(await ours().tryAcquire(path)).toBeNull()
  await theirs.release()
  await (await ours().acquire(path)).release()
  const left = Object.entries(await tree()).filter(([name]) => !name.endsWith('.rstudio-lock-claims-41c29'))
  expect(Object.fromEntries(left)).toEqual(ONLY_RELEASED)
})

test('a holder whose event loop is blocked for longer than the interval keeps the lock', async () => {
  const theirs = await session({ form: 'legacy', kind: 'link' })
  const lock = await ours().acquire(path)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TIMEOUT_MS * 1.5)
  expect(await theirs.acquire()).toBe(false)
  expect(lock.remainingMs).toBeGreaterThan(0)
  expect(await lock.release()).toEqual({ lost: false })
})

test('a session that dies at any operation is followed by ours, which leaves nothing of it but what was never public', async () => {
  const forms = FORMS.filter(({ kind }) => kind !== 'advisory')
  const places = await Promise.all(
    forms.flatMap((what) => DYING.map(async (dieAt) => ({ ...what, dieAt, sources: join(await temporaryFolder(), 'sources') }))),
  )
  const pathIn = (place: string) => join(place, 'session-1a2b3c4d/lock_file')
  await Promise.all(
    places.map(async ({ sources, ...what }) => {
      await mkdir(join(sources, 'session-1a2b3c4d'), { recursive: true })
      const dying = await session({ ...what, path: pathIn(sources) })
      await dying.acquire().catch(() => {}) // it dies
      await dying.kill()
    }),
  )
  const locker = ours()
  await Promise.all(
    places.map(async ({ sources }) => await (await locker.acquire(pathIn(sources), { waitMs: 30_000 })).release()),
  )
  // What of theirs was never public goes with their own sweeps.
  const isTheirs = (name: string) => name.includes('/.rstudio-lock-')
  for (const { sources, ...what } of places) {
    const left = Object.entries(await tree(sources)).filter(([name]) => !isTheirs(name))
    expect(Object.fromEntries(left), JSON.stringify(what)).toEqual(ONLY_RELEASED)
  }
}, 600_000)

describe('a holder is told', () => {
  test('when a session whose clock is an hour ahead takes its file for abandoned', async () => {
    const theirs = await session({ form: '2026', kind: 'link', clockOffsetMs: 3_600_000 })
    const lock = await ours().acquire(path)
    const lost = lossOf(lock)
    expect(await theirs.acquire()).toBe(true)
    expect(await lost).toBe('reaped')
    expect(await lock.release()).toEqual({ lost: true })
    // And its lock stays.
    expect(await ours().tryAcquire(path)).toBeNull()
  })

  test('when its file is removed', async () => {
    const lock = await ours().acquire(path)
    const lost = lossOf(lock)
    await rm(path)
    expect(await lost).toBe('reaped')
    expect(() => lock.assertHeld()).toThrow(/was removed or replaced, as Workbench does/)
    expect(await lock.release()).toEqual({ lost: true })
  })

  test('and what is lost is given back, although its user does nothing more', async () => {
    const lock = await ours().acquire(path)
    const lost = lossOf(lock)
    await rm(path)
    expect(await lost).toBe('reaped')
    const next = await ours().acquire(path, { waitMs: 10_000 })
    expect(next.held).toBe(true)
    expect(await lock.release()).toEqual({ lost: true })
    expect(next.held).toBe(true)
    expect(await next.release()).toEqual({ lost: false })
    expect(await tree()).toEqual(ONLY_RELEASED)
  })

  test('when another process has its name, which the release then leaves alone', async () => {
    const lock = await ours().acquire(path)
    const lost = lossOf(lock)
    await rm(path)
    await writeFile(path, '4711')
    expect(await lost).toBe('reaped')
    await lock.release()
    expect(await tree()).toEqual({ ...ONLY_RELEASED, 'session-1a2b3c4d/lock_file': '4711' })
  })

  test('when the session ends, which removes its directory', async () => {
    const lock = await ours().acquire(path)
    const lost = lossOf(lock)
    await rm(join(sources, 'session-1a2b3c4d'), { recursive: true })
    expect(await lost).toBe('reaped')
    await lock.release()
    expect(await readdir(sources)).toEqual([])
  })

  test('when this process copies the directory, for that drops the fcntl lock', async () => {
    const lock = await ours().acquire(path)
    const lost = lossOf(lock)
    await cp(sources, join(await temporaryFolder(), 'backup'), { recursive: true })
    expect(await lost).toBe('advisory-lost')
    await lock.release()
    expect(await tree()).toEqual(ONLY_RELEASED)
  })
})

describe('what is no lock of theirs is refused, and stays', () => {
  const cases: Record<string, () => Promise<unknown>> = {
    'a directory': () => mkdir(path),
    'a document': () => writeFile(path, '{"id": 1}'),
    'a link that leads elsewhere': () => symlink('/etc/hostname', path),
    'a link that leads nowhere': () => symlink('/nowhere', path),
    'a FIFO': async () => spawnSync('mkfifo', [path]),
  }
  test.each(Object.keys(cases))('%s', async (name) => {
    await cases[name]?.()
    const before = await readdir(sources, { recursive: true })
    const locker = ours()
    await expect(locker.acquire(path)).rejects.toMatchObject({
      code: 'FOREIGN_LOCK',
      message: expect.stringContaining('no lock of Workbench'),
    })
    await locker.close()
    expect(await readdir(sources, { recursive: true })).toEqual(before)
  })

  test('a file that gets a second name is no lock for that', async () => {
    await writeFile(path, 'text')
    await link(path, join(sources, 'other'))
    await expect(ours().tryAcquire(path)).rejects.toMatchObject({ code: 'FOREIGN_LOCK' })
  })
})

test('a missing directory of a session is not made', async () => {
  const missing = join(sources, 'session-9/lock_file')
  await expect(ours().acquire(missing)).rejects.toMatchObject({ code: 'PARENT_MISSING' })
  expect(await readdir(sources)).toEqual(['session-1a2b3c4d'])
})
