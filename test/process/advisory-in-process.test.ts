/**
 * Advisory locks within one process. Goal: two lockers of one process exclude each other, also from two loaded copies of
 * the package, and nothing that this process does to the file drops the fcntl lock that it holds there: the kernel would.
 * Method: one agent does both; python's own system calls are the independent witness of what the kernel still holds.
 */
import {
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dir } from 'tmp-promise'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Agent, witness } from './fixtures/advisory-driver.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
let path: string
let agent: Agent
let removeFolder: () => Promise<void>

beforeEach(async () => {
  const temporary = await dir({ unsafeCleanup: true })
  folder = temporary.path
  removeFolder = temporary.cleanup
  path = join(folder, 'resource.lock')
  const copyFolder = join(folder, 'copy', 'build')
  cpSync(join(ROOT, 'build'), copyFolder, { recursive: true })
  writeFileSync(join(folder, 'copy', 'package.json'), '{"type":"module"}')
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'copy', 'node_modules'))
  agent = new Agent({ copyFolder })
})

afterEach(async () => {
  await agent.end()
  await removeFolder()
})

/** How many descriptors of the lock file the agent has open. */
function openDescriptors(): number {
  const descriptors = `/proc/${agent.pid}/fd`
  const leadsTo = (fd: string): string => {
    try {
      return readlinkSync(join(descriptors, fd))
    } catch {
      return '' // closed since it was listed
    }
  }
  return readdirSync(descriptors).filter((fd) => leadsTo(fd).startsWith(path)).length
}

describe.each([
  { kind: 'flock', copy: false },
  { kind: 'flock', copy: true },
  { kind: 'fcntl', copy: false },
  { kind: 'fcntl', copy: true },
] as const)('$kind, the second attempt from another loaded copy: $copy', ({ kind, copy }) => {
  it('a second exclusive attempt of the same process is refused until the first is released', async () => {
    await agent.ask({ op: 'attempt', path, kind })
    expect(await agent.ask({ op: 'attempt', path, kind, copy })).toEqual({ outcome: 'busy' })
    expect(await agent.ask({ op: 'attempt', path, kind, shared: true, copy })).toEqual({ outcome: 'busy' })
    expect(witness(path, kind)).toBe('busy')
    await agent.ask({ op: 'release', hold: 0 })
    expect(await agent.ask({ op: 'attempt', path, kind, copy })).toMatchObject({ outcome: 'held' })
  })

  it('shared holds of the same process coexist, and the kernel keeps the lock until the last is released', async () => {
    await agent.ask({ op: 'attempt', path, kind, shared: true })
    expect(await agent.ask({ op: 'attempt', path, kind, shared: true, copy })).toMatchObject({ outcome: 'held' })
    expect(await agent.ask({ op: 'attempt', path, kind, copy })).toEqual({ outcome: 'busy' })
    await agent.ask({ op: 'release', hold: 0 })
    await agent.ask({ op: 'release', hold: 0 })
    expect(witness(path, kind)).toBe('busy')
    await agent.ask({ op: 'releaseSync', hold: 1 })
    expect(witness(path, kind)).toBe('free')
  })

  it('a probe from the same process sees the hold and does not drop it', async () => {
    await agent.ask({ op: 'attempt', path, kind })
    expect(await agent.ask({ op: 'probe', path, kind, copy })).toEqual({ state: 'held', pid: agent.pid })
    expect(witness(path, kind)).toBe('busy')
  })

  it('no descriptor stays open after the last release', async () => {
    await agent.ask({ op: 'attempt', path, kind })
    await agent.ask({ op: 'attempt', path, kind, copy })
    await agent.ask({ op: 'probe', path, kind, copy })
    await agent.ask({ op: 'release', hold: 0 })
    expect(openDescriptors()).toBe(0)
  })
})

describe('two attempts of one process at the same moment', () => {
  it.each(['flock', 'fcntl'] as const)('one of two exclusive %s attempts gets it, and the kernel holds it', async (kind) => {
    for (let round = 0; round < 20; round++) {
      const [one, other] = await agent.ask({ op: 'attemptTwiceAtOnce', path, kind })
      expect([one.outcome, other.outcome].sort()).toEqual(['busy', 'held'])
      if (round === 0) expect(witness(path, kind)).toBe('busy')
      await agent.ask({ op: 'release', hold: round })
    }
    expect(openDescriptors()).toBe(0)
    expect(witness(path, kind)).toBe('free')
  })

  it.each(['flock', 'fcntl'] as const)('both of two shared %s attempts get it', async (kind) => {
    const [one, other] = await agent.ask({ op: 'attemptTwiceAtOnce', path, kind, shared: true })
    expect([one.outcome, other.outcome]).toEqual(['held', 'held'])
    await agent.ask({ op: 'release', hold: 0 })
    expect(witness(path, kind)).toBe('busy')
    await agent.ask({ op: 'release', hold: 1 })
    expect(witness(path, kind)).toBe('free')
    expect(openDescriptors()).toBe(0)
  })
})

describe('an fcntl lock that this process holds survives', () => {
  let otherName: string

  beforeEach(async () => {
    otherName = join(folder, 'other-name.lock')
    await agent.ask({ op: 'attempt', path, kind: 'fcntl' })
    linkSync(path, otherName)
  })

  it.each([false, true])('a failed attempt through a hard-linked second name (from another copy: %s)', async (copy) => {
    expect(await agent.ask({ op: 'attempt', path: otherName, kind: 'fcntl', copy })).toEqual({ outcome: 'busy' })
    expect(witness(path, 'fcntl')).toBe('busy')
  })

  it.each([false, true])('a probe through a hard-linked second name (from another copy: %s)', async (copy) => {
    expect(await agent.ask({ op: 'probe', path: otherName, kind: 'fcntl', copy })).toMatchObject({ state: 'held' })
    expect(witness(path, 'fcntl')).toBe('busy')
  })

  it.each(['attempt', 'attemptSync'] as const)('a whole flock cycle (%s) on the same file', async (op) => {
    const { hold } = await agent.ask({ op, path: otherName, kind: 'flock' })
    await agent.ask({ op: op === 'attempt' ? 'release' : 'releaseSync', hold })
    expect(witness(path, 'flock')).toBe('free')
    expect(witness(path, 'fcntl')).toBe('busy')
    await agent.ask({ op: 'release', hold: 0 })
    expect(witness(path, 'fcntl')).toBe('free')
    expect(openDescriptors()).toBe(0)
  })

  it('an attempt on its path after another program replaced the file, which counts as busy', async () => {
    writeFileSync(`${path}.new`, '')
    renameSync(`${path}.new`, path)
    expect(await agent.ask({ op: 'attempt', path, kind: 'fcntl' })).toEqual({ outcome: 'busy' })
    expect(witness(otherName, 'fcntl')).toBe('busy')
  })
})

describe('where /proc/locks is not the whole answer', () => {
  it.each(['flock', 'fcntl'] as const)(
    'on an overlay, a probe sees the %s hold of its own process and does not drop it',
    async (kind) => {
      for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(folder, name))
      const script = 'cd "$0" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && exec "$@"'
      const onOverlay = new Agent({ under: ['unshare', '--mount', 'sh', '-c', script, folder] })
      const lockPath = join(folder, 'merged', 'resource.lock')
      try {
        expect(await onOverlay.ask({ op: 'attempt', path: lockPath, kind })).toMatchObject({ outcome: 'held' })
        expect(await onOverlay.ask({ op: 'probe', path: lockPath, kind })).toMatchObject({ state: 'held' })
        expect(readFileSync('/proc/locks', 'latin1')).toContain(` ${onOverlay.pid} `)
        await onOverlay.ask({ op: 'release', hold: 0 })
        expect(await onOverlay.ask({ op: 'probe', path: lockPath, kind })).toEqual({ state: 'free', pid: null })
        expect(readFileSync('/proc/locks', 'latin1')).not.toContain(` ${onOverlay.pid} `)
      } finally {
        await onOverlay.end()
      }
    },
  )

  it.each(['flock', 'fcntl'] as const)(
    'without /proc, a probe finds %s holds of its own and of other processes',
    async (kind) => {
      const withoutProc = new Agent({ under: ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'] })
      try {
        await withoutProc.ask({ op: 'attempt', path, kind })
        expect(await withoutProc.ask({ op: 'probe', path, kind })).toEqual({
          state: 'held',
          pid: kind === 'fcntl' ? withoutProc.pid : null,
        })
        expect(witness(path, kind)).toBe('busy')
        await withoutProc.ask({ op: 'release', hold: 0 })
        expect(await withoutProc.ask({ op: 'probe', path, kind })).toEqual({ state: 'free', pid: null })
        await agent.ask({ op: 'attempt', path, kind, shared: true })
        expect(await withoutProc.ask({ op: 'probe', path, kind })).toEqual({ state: 'held', pid: null })
      } finally {
        await withoutProc.end()
      }
    },
  )

  it.each(['flock', 'fcntl'] as const)(
    'without /proc, a %s probe in a worker thread says unknown rather than drop the lock of the main thread',
    async (kind) => {
      const withoutProc = new Agent({ under: ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'] })
      try {
        await withoutProc.ask({ op: 'attempt', path, kind: 'fcntl' })
        expect(await withoutProc.ask({ op: 'probe', path, kind, worker: true })).toMatchObject({ state: 'unknown', pid: null })
        expect(witness(path, 'fcntl')).toBe('busy')
      } finally {
        await withoutProc.end()
      }
    },
  )
})

describe('in a worker thread', () => {
  it('fcntl is refused with an error that says what to do instead', async () => {
    const answer = await agent.ask({ op: 'attempt', path, kind: 'fcntl', worker: true })
    expect(answer).toMatchObject({ outcome: 'error', name: 'UnsupportedPlatformError', code: 'UNSUPPORTED_PLATFORM' })
    expect(answer.message).toContain('Acquire it in the main thread')
  })

  it.each(['attempt', 'attemptSync'] as const)('flock (%s) excludes the main thread and other processes', async (op) => {
    expect(await agent.ask({ op, path, kind: 'flock', worker: true })).toMatchObject({ outcome: 'held' })
    expect(await agent.ask({ op, path, kind: 'flock' })).toEqual({ outcome: 'busy' })
    expect(witness(path, 'flock')).toBe('busy')
    await agent.ask({ op: op === 'attempt' ? 'release' : 'releaseSync', hold: 0, worker: true })
    expect(await agent.ask({ op, path, kind: 'flock' })).toMatchObject({ outcome: 'held' })
    expect(await agent.ask({ op, path, kind: 'flock', worker: true })).toEqual({ outcome: 'busy' })
  })

  it.each(['flock', 'fcntl'] as const)('a probe sees the %s hold of the main thread and does not drop it', async (kind) => {
    await agent.ask({ op: 'attempt', path, kind })
    expect(await agent.ask({ op: 'probe', path, kind, worker: true })).toEqual({ state: 'held', pid: agent.pid })
    expect(witness(path, kind)).toBe('busy')
  })
})
