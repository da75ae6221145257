/**
 * Symbolic links that another user has planted where a file or directory of ours is expected. Goal: none is followed: nothing
 * is read, written, created, removed, locked or given another mode at its target. Method: real processes on real
 * directories; where a race has to be won, the link is put there between two system calls.
 */

import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { blockingCalls, type CallName } from '../../build/drivers/calls.js'
import { severalCalls } from '../../build/drivers/file-operations.js'
import type { LockerOptions } from '../../dist/index.js'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'

const execute = promisify(execFile)
const PROGRAM = new URL('../../bin/locktester', import.meta.url).pathname

const LINK_BASED: { kind: string; locker: LockerOptions }[] = [
  { kind: 'hard link', locker: {} },
  { kind: 'symlink', locker: { useSymlinks: true } },
  { kind: 'rename', locker: { lockType: 'renamebased' } },
]

/** Everything below a folder that a stranger could have changed. */
function stateOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const status = lstatSync(join(folder, name))
      const inside = status.isFile()
        ? readFileSync(join(folder, name), 'utf8')
        : status.isSymbolicLink()
          ? readlinkSync(join(folder, name))
          : ''
      return `${name} ${status.mode.toString(8)} ${status.nlink} ${inside}`
    })
}

describe.each(LINK_BASED)('in the place of a lock directory ($kind)', ({ locker }) => {
  test('a symbolic link to another lock is refused, and that lock stays as it is', async () => {
    const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
    const [owner, victim] = await Promise.all([Agent.start({ locker }), Agent.start({ locker })])
    await (await owner.acquire(join(elsewhere, 'lock'))).release()
    await owner.ask('close')
    symlinkSync(join(elsewhere, 'lock'), join(folder, 'lock'))
    const before = stateOf(elsewhere)
    for (const op of ['tryAcquire', 'tryAcquireSync'] as const) {
      expect(await victim.refusal(join(folder, 'lock'), op)).toMatchObject({
        code: 'FOREIGN_LOCK',
        message: expect.stringContaining('symbolic link'),
      })
    }
    expect(await victim.refusal(join(folder, 'lock'), 'acquire', 1000)).toMatchObject({ code: 'FOREIGN_LOCK' })
    await expect(victim.inspect(join(folder, 'lock'))).rejects.toMatchObject({ remote: { code: 'FOREIGN_LOCK' } })
    expect(stateOf(elsewhere)).toEqual(before)
  })

  test.each(['a directory', 'a file', 'nothing'])(
    'a symbolic link to %s is refused, and its target is not touched',
    async (target) => {
      const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
      if (target === 'a directory') mkdirSync(join(elsewhere, 'target'))
      if (target === 'a file') writeFileSync(join(elsewhere, 'target'), 'mine')
      symlinkSync(join(elsewhere, 'target'), join(folder, 'lock'))
      const before = stateOf(elsewhere)
      const victim = await Agent.start({ locker })
      expect(await victim.refusal(join(folder, 'lock'))).toMatchObject({ code: 'FOREIGN_LOCK' })
      expect(stateOf(elsewhere)).toEqual(before)
      expect(readlinkSync(join(folder, 'lock'))).toBe(join(elsewhere, 'target'))
    },
  )
})

describe('in the place of the file of an advisory lock', () => {
  test.each(['flock', 'fcntl'] as const)(
    'a symbolic link is refused, its target neither locked nor created (%s)',
    async (advisoryKind) => {
      const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
      writeFileSync(join(elsewhere, 'file'), 'mine')
      symlinkSync(join(elsewhere, 'file'), join(folder, 'lock'))
      symlinkSync(join(elsewhere, 'new'), join(folder, 'dangling'))
      const agent = await Agent.start({ locker: { lockType: 'advisory', advisoryKind } })
      expect(await agent.refusal(join(folder, 'lock'))).toMatchObject({ code: 'FOREIGN_LOCK' })
      expect(await agent.refusal(join(folder, 'dangling'))).toMatchObject({ code: 'FOREIGN_LOCK' })
      expect(stateOf(elsewhere)).toEqual([expect.stringMatching(/^file 100644 1 mine$/)])
    },
  )
})

describe('inside a lock directory', () => {
  test('a generation that leads to a record elsewhere, which says that its owner ended, counts as held by a live process', async () => {
    const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
    const path = join(folder, 'lock')
    const [first, second] = [await Agent.start(), await Agent.start()]
    const { token } = await first.acquire(path)
    // A record that has all that it needs, and says "ended".
    const [session = ''] = readdirSync(folder).filter((name) => name.startsWith('.mountlock-41c29-'))
    const ended = readFileSync(join(folder, session), 'utf8').replaceAll(/alive/g, 'ended')
    writeFileSync(join(elsewhere, session), ended)
    await first.ask('close')
    symlinkSync(join(elsewhere, session), join(path, String(token + 1n)))
    const before = stateOf(elsewhere)
    expect(await second.tryAcquire(path)).toBeNull()
    expect(await second.inspect(path)).toMatchObject({ state: 'unknown', holder: null })
    expect(stateOf(elsewhere)).toEqual(before)
  })

  test('a marker that is a symbolic link is a name and nothing more', async () => {
    const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
    const path = join(folder, 'lock')
    writeFileSync(join(elsewhere, 'file'), 'mine')
    mkdirSync(path)
    symlinkSync(join(elsewhere, 'file'), join(path, '.links'))
    writeFileSync(join(path, '7.free'), '')
    const agent = await Agent.start()
    const lock = await agent.acquire(path)
    expect(lock.token).toBe(8n)
    expect(await lock.release()).toEqual({ lost: false })
    expect(stateOf(elsewhere)).toEqual([expect.stringMatching(/^file 100644 1 mine$/)])
  })
})

test('a session file that was replaced by a symbolic link is not written through, and its locks are declared lost', async () => {
  const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
  const holder = await Agent.start()
  const lock = await holder.acquire(join(folder, 'lock'))
  const [session = ''] = readdirSync(folder).filter((name) => name.startsWith('.mountlock-41c29-'))
  // A file that even contains what a heartbeat looks for.
  const victim = join(elsewhere, 'victim')
  renameSync(join(folder, session), join(elsewhere, 'moved'))
  writeFileSync(victim, readFileSync(join(elsewhere, 'moved')))
  const before = readFileSync(victim, 'utf8')
  symlinkSync(victim, join(folder, session))
  await lock.lost()
  expect(readFileSync(victim, 'utf8')).toBe(before)
})

test('a log file that is a symbolic link is not written to, and locking goes on', async () => {
  const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
  writeFileSync(join(elsewhere, 'victim'), 'mine')
  symlinkSync(join(elsewhere, 'victim'), join(folder, 'log'))
  const agent = await Agent.start({ locker: { enableLogging: true, logFile: join(folder, 'log') } })
  await (await agent.acquire(join(folder, 'lock'))).release()
  await agent.ask('close')
  expect(readFileSync(join(elsewhere, 'victim'), 'utf8')).toBe('mine')
  expect(agent.stderr).toContain('ELOOP')
})

test('a directory that is swapped for a symbolic link while it is made does not give its mode to the target', async () => {
  const [folder, elsewhere] = [await temporaryFolder(0o777), await temporaryFolder()]
  const [path, victim] = [join(folder, 'draft'), join(elsewhere, 'secret')]
  writeFileSync(victim, 'mine')
  chmodSync(victim, 0o600)
  const calls = severalCalls({ op: 'mkdir', path, mode: 0o777 })
  let step = calls.next()
  const failures: unknown[] = []
  while (!step.done) {
    const [name, ...args] = step.value as [CallName, ...unknown[]]
    try {
      const value = (blockingCalls[name] as (...args: unknown[]) => unknown)(...args)
      if (name === 'mkdir') {
        rmdirSync(path)
        symlinkSync(victim, path)
      }
      step = calls.next(value)
    } catch (error) {
      failures.push((error as NodeJS.ErrnoException).code)
      break
    }
  }
  expect(lstatSync(victim).mode & 0o777).toBe(0o600)
  expect(failures).toEqual([expect.stringMatching(/^(ELOOP|ENOTDIR)$/)])
})

describe('locktester', () => {
  /** Its result, whatever its exit code. */
  async function locktester(...args: string[]) {
    return execute(process.execPath, [PROGRAM, ...args]).then(
      ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
      (error) => ({ code: error.code as number, text: `${error.stdout}${error.stderr}` }),
    )
  }

  test('refuses a directory of locks that is a symbolic link, and leaves its target as it is', async () => {
    const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder(0o700)]
    symlinkSync(elsewhere, join(folder, '.locktester'))
    const { code } = await locktester('--no-hold', folder)
    expect(code).toBe(69)
    expect(readdirSync(elsewhere)).toEqual([])
    expect(lstatSync(elsewhere).mode & 0o777).toBe(0o700)
  })

  test('neither reads nor removes what a symbolic link with the name of a presence record leads to', async () => {
    const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
    const secret = {
      version: 1,
      id: 'x',
      host: 'TOP-SECRET',
      pid: 1,
      uid: 0,
      beat: 1,
      check: 1,
      claims: { '.locktester/link-based': 'held' },
    }
    writeFileSync(join(elsewhere, 'secret'), JSON.stringify(secret))
    const planted = join(folder, '.locktester-host-1-0123456789abcdef.json')
    symlinkSync(join(elsewhere, 'secret'), planted)
    const { code, text } = await locktester('--no-hold', folder)
    expect(code).toBe(0)
    expect(text).not.toContain('TOP-SECRET')
    expect(existsSync(planted)).toBe(true)
    expect(readFileSync(join(elsewhere, 'secret'), 'utf8')).toBe(JSON.stringify(secret))
  })
})
