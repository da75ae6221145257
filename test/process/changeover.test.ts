/**
 * Two lock types on one path, with real processes. Goal: a held lock of another type is refused with an error that names its
 * holder; a free one makes way; no process that dies or stalls at any call to the file system leaves a path that cannot be had,
 * or breaks a lock of another process. What all interleavings do is shown in changeover-model.test.ts.
 */

import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isDissolvedNote } from '../../build/protocol/names.js'
import { createLocker, type Lock, type Locker, type LockerOptions } from '../../dist/index.js'
import { Peer } from './fixtures/changeover-driver.mjs'
import { cleared, temporaryFolder } from './support/folder.js'
import { imageShare } from './support/image.js'
import { processState } from './support/time.js'

const BRISK = { refreshRateMs: 500, timeoutIntervalMs: 2000 } as const
const TYPES = {
  'hard link': { ...BRISK, lockType: 'linkbased' },
  symlink: { ...BRISK, lockType: 'linkbased', useSymlinks: true },
  rename: { ...BRISK, lockType: 'renamebased' },
  flock: { ...BRISK, lockType: 'advisory', advisoryKind: 'flock' },
  fcntl: { ...BRISK, lockType: 'advisory', advisoryKind: 'fcntl' },
} as const satisfies Record<string, LockerOptions>
type Type = keyof typeof TYPES

const NAMES: Record<Type, string> = {
  'hard link': 'a link-based',
  symlink: 'a link-based',
  rename: 'a rename-based',
  flock: 'an advisory',
  fcntl: 'an advisory',
}
const CHANGES = (
  [
    ['hard link', 'flock'],
    ['hard link', 'fcntl'],
    ['symlink', 'flock'],
    ['rename', 'flock'],
    ['rename', 'hard link'],
    ['rename', 'symlink'],
  ] as const
).flatMap(([one, other]) => [
  { from: one, to: other } as { from: Type; to: Type },
  { from: other, to: one } as { from: Type; to: Type },
])

/** Where every call is tried out: the ways to take a lock directory and a lock file away. */
const STEPPED = CHANGES.filter(({ from, to }) => [from, to].includes('hard link') && ![from, to].includes('fcntl'))

/** Many processes are started. */
const LONG = { timeout: 300_000 }

let folder: string
let path: string
const lockers: Locker[] = []

beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder, 'lock')
})
afterEach(async () => {
  await Promise.all(lockers.splice(0).map((locker) => locker.close()))
  await Peer.endAll()
})

function lockerOf(type: Type): Locker {
  const locker = createLocker(TYPES[type])
  lockers.push(locker)
  return locker
}

const start = (type: Type, more: object = {}) => new Peer('changeover-agent.mjs', { locker: TYPES[type], ...more })

/** A lock that was used, and is free. */
async function leave(type: Type, place = path): Promise<void> {
  await (await lockerOf(type).acquire(place)).release()
}

describe.each(CHANGES)('from $from to $to', ({ from, to }) => {
  test('while it is held, an attempt is refused with an error that names the holder', async () => {
    const [holder, rival] = [start(from), start(to)]
    expect(await holder.ask({ op: 'tryAcquire', path })).toMatchObject({ held: true })
    const { error } = await rival.ask({ op: 'tryAcquire', path })
    expect(error).toMatchObject({ name: 'ForeignLockError', code: 'FOREIGN_LOCK' })
    expect(error?.message).toContain(`it is held as ${NAMES[from]} lock by process ${holder.child.pid} on `)
    expect(await holder.ask({ op: 'held' })).toEqual({ held: true })
    expect(await holder.ask({ op: 'release' })).toEqual({ lost: false })
    expect(await rival.ask({ op: 'tryAcquire', path })).toMatchObject({ held: true })
    expect((await holder.ask({ op: 'tryAcquire', path })).error?.code).toBe('FOREIGN_LOCK')
  })

  test('while this very process holds it, an attempt is refused as well, and does not wait for it', async () => {
    const held = await lockerOf(from).acquire(path)
    const refusal = { code: 'FOREIGN_LOCK', message: expect.stringContaining(`it is held as ${NAMES[from]} lock`) }
    await expect(lockerOf(to).acquire(path, { waitMs: 0 })).rejects.toMatchObject(refusal)
    await expect(lockerOf(to).tryAcquire(path)).rejects.toMatchObject(refusal)
    expect(held.held).toBe(true)
    expect(await held.release()).toEqual({ lost: false })
    expect((await lockerOf(to).acquire(path, { waitMs: 0 })).held).toBe(true)
  })

  test('a free leftover makes way at once, and nothing of it is left', async () => {
    await leave(from)
    const lock = await lockerOf(to).acquire(path)
    expect(lock.held).toBe(true)
    await lock.release()
    await Promise.all(lockers.splice(0).map((locker) => locker.close()))
    expect(await readdir(folder)).toEqual(['lock'])
    expect((await stat(path)).isFile()).toBe(TYPES[to].lockType === 'advisory')
  })

  test('the lock of a process that was killed makes way', async () => {
    const holder = start(from)
    await holder.ask({ op: 'tryAcquire', path })
    await holder.end()
    const lock = await lockerOf(to).tryAcquire(path)
    expect(lock?.held).toBe(true)
  })
})

describe.each(STEPPED)('from $from to $to, call by call', ({ from, to }) => {
  test('a process that is killed at any call to the file system leaves a path that every type can have', LONG, async () => {
    await atEveryCall(async (at, place) => {
      await leave(from, place)
      const victim = start(to, { at })
      const answer = await victim.askUntilEnd({ op: 'tryAcquire', path: place })
      await victim.end()
      for (const type of at % 2 === 0 ? ([to, from] as const) : ([from, to] as const)) {
        const lock = await lockerOf(type).tryAcquire(place)
        expect(lock?.held, `killed before call ${at}, then ${type}`).toBe(true)
        await lock?.release()
      }
      return answer
    })
  })

  test('a process that stalls at any call to the file system breaks no lock of others when it goes on', LONG, async () => {
    await atEveryCall(async (at, place) => {
      await leave(from, place)
      const slow = start(to, { at, signal: 'SIGSTOP' })
      const answering = slow.askUntilEnd({ op: 'tryAcquire', path: place })
      const stopped = processState(slow.child.pid as number, 'T').then(() => 'stopped')
      if ((await Promise.race([stopped, answering])) !== 'stopped') {
        stopped.catch(() => {})
        return await answering
      }
      // Back and forth meanwhile, where the one that is stopped does not hold the kernel's lock of the file.
      const holder = await holdAfterChanges(place, at % 2 === 0 ? [to, from, to, from] : [from, to, from, to])
      slow.child.kill('SIGCONT')
      const answer = await answering
      if (holder !== null) {
        expect(answer?.held ?? false, `stopped before call ${at}`).toBe(false)
        expect(holder.held).toBe(true)
        for (const type of [from, to]) expect(await isRefused(type, place), `stopped before call ${at}`).toBe(true)
        expect(await holder.release()).toEqual({ lost: false })
      }
      await slow.end()
      return null
    })
  })
})

const AT_ONCE = 4

/** Goes on, some at a time and each in a place of its own, until a process gets the lock because it makes no call of that number. */
async function atEveryCall(life: (at: number, place: string) => Promise<Record<string, unknown> | null>): Promise<void> {
  for (let first = 1; ; first += AT_ONCE) {
    const numbers = Array.from({ length: AT_ONCE }, (_, i) => first + i)
    const answers = await Promise.all(numbers.map(async (at) => life(at, join(await temporaryFolder(), 'lock'))))
    const complete = answers.filter((answer) => answer !== null)
    for (const answer of complete) expect(answer).toMatchObject({ held: true })
    if (complete.length > 0) return expect(first).toBeGreaterThan(5)
  }
}

async function holdAfterChanges(place: string, types: Type[]): Promise<Lock | null> {
  const last = types.pop() as Type
  try {
    for (const type of types) await (await lockerOf(type).tryAcquire(place))?.release()
    return await lockerOf(last).tryAcquire(place)
  } catch {
    return null // it is stopped in the middle of giving the file up, and holds it
  }
}

async function isRefused(type: Type, place: string): Promise<boolean> {
  try {
    return (await lockerOf(type).tryAcquire(place)) === null
  } catch (error) {
    return (error as { code: string }).code === 'FOREIGN_LOCK'
  }
}

test('a process dies before it removes its note, and another program makes its directory there: it stays', LONG, async () => {
  const { space, path: share } = await imageShare('ext4')
  const place = join(share, 'folder', 'lock')
  const startThere = (type: Type, at = 0) => new Peer('changeover-agent.mjs', { locker: TYPES[type], at }, space.entrance)
  const leaveThere = async () => {
    const user = startThere('hard link')
    for (const op of ['tryAcquire', 'release', 'close']) await user.ask({ op, path: place })
    await user.end()
  }
  const killAt = async (at: number) => {
    await space.run('rm -rf "$1" && mkdir "$1"', join(share, 'folder'))
    await leaveThere()
    const victim = startThere('flock', at)
    const answer = await victim.askUntilEnd({ op: 'tryAcquire', path: place })
    await victim.end()
    const names = (await space.run('ls -A "$1"', join(share, 'folder'))).split('\n')
    return { calls: Number(answer?.calls), note: names.includes('lock') ? undefined : names.find(isDissolvedNote) }
  }
  const AFTER_ALL_CALLS = 1000
  let { calls: at, note } = await killAt(AFTER_ALL_CALLS)
  while (note === undefined && --at > 0) ({ note } = await killAt(at))
  const number = Number.parseInt(/^\.mountlock-dissolved-([0-9a-f]+)-/.exec(note ?? '')?.[1] ?? '', 16)
  // ext4 gives numbers again, the lowest first.
  const takeNumber =
    'n=0; until mkdir "$1" && [ "$(stat -c %i "$1")" = "$2" ]; do mv "$1" "$1.$n"; n=$((n+1)); [ $n -lt 100 ]; done'
  await space.run(takeNumber, place, String(number))
  for (const type of ['flock', 'hard link', 'rename'] as const)
    expect((await startThere(type).ask({ op: 'tryAcquire', path: place })).error).toMatchObject({ code: 'FOREIGN_LOCK' })
  expect((await space.run('stat -c %i "$1" && ls -A "$1"', place)).trim()).toBe(String(number))
})

test('processes of all types hammer one path: one at a time, and the tokens increase', async () => {
  const file = join(folder, 'counter')
  await writeFile(file, '0')
  const types: Type[] = ['hard link', 'symlink', 'rename', 'flock', 'flock', 'hard link']
  const times = 15
  const answers = await Promise.all(types.map((type) => start(type).ask({ op: 'hammer', path, file, times })))
  for (const { error } of answers) expect(error).toBeUndefined()
  expect(Number(await readFile(file, 'utf8'))).toBe(types.length * times)
  const tokens = answers.flatMap((answer) => answer.tokens as string[])
  expect(new Set(tokens).size).toBe(tokens.length)
  for (const { tokens: own } of answers) {
    const numbers = (own as string[]).map(BigInt)
    expect(numbers).toEqual([...numbers].sort((a, b) => (a < b ? -1 : 1)))
  }
})

test('a lock whose tokens are ahead of the clock stays what it is, and goes on working: tokens never go back', async () => {
  const linked = lockerOf('hard link')
  const first = await linked.acquire(path)
  await first.release()
  await cleared(path)
  const ahead = (first.token as bigint) + 3_600_000_000n
  for (const name of (await readdir(path)).filter((entry) => entry.endsWith('.free'))) {
    await rename(join(path, name), join(path, `${ahead}.free`))
  }
  await expect(lockerOf('flock').tryAcquire(path)).rejects.toMatchObject({
    code: 'FOREIGN_LOCK',
    message: expect.stringContaining("ahead of the file server's clock"),
  })
  expect((await lockerOf('hard link').acquire(path)).token).toBe(ahead + 1n)
})

test('a file with something in it is never touched', async () => {
  await writeFile(path, 'mine')
  for (const type of ['hard link', 'symlink', 'rename'] as const) {
    await expect(lockerOf(type).tryAcquire(path)).rejects.toThrow('it is a file with something in it')
  }
  expect(await readFile(path, 'utf8')).toBe('mine')
})

test('a directory or link that is not ours is never touched', async () => {
  await mkdir(path)
  for (const type of ['flock', 'rename', 'hard link'] as const)
    await expect(lockerOf(type).tryAcquire(path)).rejects.toMatchObject({ code: 'FOREIGN_LOCK' })
  await writeFile(join(path, 'mine'), '')
  for (const type of ['flock', 'rename', 'hard link'] as const)
    await expect(lockerOf(type).tryAcquire(path)).rejects.toMatchObject({ code: 'FOREIGN_LOCK' })
  expect(await readdir(path)).toEqual(['mine'])

  const link = join(folder, 'link')
  await symlink(path, link)
  for (const type of ['flock', 'rename', 'hard link'] as const)
    await expect(lockerOf(type).tryAcquire(link)).rejects.toMatchObject({ code: 'FOREIGN_LOCK' })
})

test.each(CHANGES.filter(({ from }) => TYPES[from].lockType !== 'advisory'))(
  'a strange file in a free lock keeps it from making way ($from to $to), is named at once, and nothing is left half-way',
  async ({ from, to }) => {
    await leave(from)
    await writeFile(join(path, 'strange'), '')
    await expect(lockerOf(to).acquire(path)).rejects.toThrow('"strange" in its directory keeps it from making way')
    expect((await lockerOf(from).tryAcquire(path))?.held).toBe(true)
  },
)

test('a file of an NFS client is waited for, and named when it stays; when it goes away, the lock makes way', async () => {
  await leave('hard link')
  const silly = join(path, '.nfs0000000000000184')
  await writeFile(silly, '')
  const flock = lockerOf('flock')
  expect(await flock.tryAcquire(path)).toBeNull() // it may be gone in a moment
  await expect(flock.acquire(path, { waitMs: 60_000 })).rejects.toThrow(
    '".nfs0000000000000184" in its directory keeps it from making way',
  )
  expect((await lockerOf('hard link').tryAcquire(path))?.held).toBe(true)
  await Promise.all(lockers.splice(0).map((locker) => locker.close()))
  const waiting = lockerOf('flock').acquire(path)
  await rm(silly)
  expect((await waiting).held).toBe(true)
})

test('a lock directory with a file of another program in it stays as it is', async () => {
  await leave('hard link')
  await cleared(path)
  await writeFile(join(path, 'mine'), '')
  const before = await readdir(path)
  await expect(lockerOf('flock').tryAcquire(path)).rejects.toMatchObject({ code: 'FOREIGN_LOCK' })
  expect(await readdir(path)).toEqual(before)
  expect((await lockerOf('hard link').tryAcquire(path))?.held).toBe(true)
})

test('with blocking calls a lock directory makes way, and a lock file does not: the error says what helps', async () => {
  await leave('hard link')
  const flock = lockerOf('flock')
  flock.tryAcquireSync(path)?.releaseSync()
  expect((await stat(path)).isFile()).toBe(true)
  const hardLink = lockerOf('hard link')
  expect(() => hardLink.tryAcquireSync(path)).toThrow('Acquire it once with acquire() or tryAcquire()')
  await (await hardLink.acquire(path)).release()
  hardLink.tryAcquireSync(path)?.releaseSync()
})

test('two shared holders keep a file from making way; when the last has gone, it does', async () => {
  const [first, second] = [lockerOf('flock'), lockerOf('flock')]
  const shared = [await first.acquire(path, { shared: true }), await second.acquire(path, { shared: true })]
  for (const lock of shared) {
    await expect(lockerOf('hard link').tryAcquire(path)).rejects.toThrow('held as an advisory lock')
    await lock.release()
  }
  expect((await lockerOf('hard link').tryAcquire(path))?.held).toBe(true)
})

test('a user without the right to change the lock is refused, and changes nothing', async () => {
  await leave('hard link')
  await cleared(path)
  await chmod(folder, 0o1777)
  await chmod(path, 0o1777)
  const stranger = start('flock')
  const before = await readdir(path)
  const { error } = await stranger.ask({ op: 'tryAcquire', path, uid: 65534 })
  expect(error).toMatchObject({ code: 'NOT_PERMITTED' })
  expect(await readdir(path)).toEqual(before)
})
