/**
 * What Workbench and RStudio Server lock themselves is refused to our plain locks. Goal: at no path of theirs, and at no lock of
 * theirs, one of ours is granted or anything changed; a file that only looks like one, because it holds a process id, is locked
 * as before. Method: their files are written as they leave them, and the directory is compared.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { link, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createLocker, type Locker, type LockerOptions } from '../../dist/index.js'
import { temporaryFolder } from './support/folder.js'

const TYPES = {
  'hard link': {},
  symlink: { useSymlinks: true },
  rename: { lockType: 'renamebased' },
  advisory: { lockType: 'advisory' },
  flock: { lockType: 'advisory', advisoryKind: 'flock' },
} as const satisfies Record<string, LockerOptions>
const NAMES = Object.keys(TYPES) as (keyof typeof TYPES)[]

const PATHS = [
  '.local/share/rstudio/sources/session-1a2b3c4d/lock_file',
  '.local/share/rstudio/sources/s-1a2b3c4d/lock_file',
  'project/.Rproj.user/1A2B3C4D/sources/session-1a2b3c4d/lock_file',
  'project/.Rproj.user/shared/notebooks/lock_file',
  '.local/share/rstudio/notebooks/lock_file',
  '.local/share/rstudio/locktester_file',
]

let home: string

beforeEach(async () => {
  home = await temporaryFolder()
})

function lockerOf(type: keyof typeof TYPES): Locker {
  const locker = createLocker(TYPES[type])
  onTestFinished(() => locker.close())
  return locker
}

/** Without the session file that each process makes in the directory of its locks. */
async function tree(): Promise<string[]> {
  const names = await readdir(home, { recursive: true })
  return names.filter((name) => !name.startsWith('.mountlock-41c29-')).sort()
}

async function write(name: string, text: string, modifiedMs = Date.now()): Promise<string> {
  const path = join(home, name)
  await writeFile(path, text)
  await utimes(path, modifiedMs / 1000, modifiedMs / 1000)
  return path
}

const REFUSED = { code: 'FOREIGN_LOCK', message: expect.stringMatching(/Workbench.*workbench: true/s) as string }

describe.each(NAMES)('%s', (type) => {
  test.each(PATHS)('%s is refused, and nothing is made there', async (path) => {
    await mkdir(join(home, dirname(path)), { recursive: true })
    const before = await tree()
    const locker = lockerOf(type)
    await expect(locker.acquire(join(home, path))).rejects.toMatchObject(REFUSED)
    await expect(locker.tryAcquire(join(home, path))).rejects.toMatchObject(REFUSED)
    await expect(locker.inspect(join(home, path))).rejects.toMatchObject(REFUSED)
    expect(await tree()).toEqual(before)
  })

  test('it is refused too where its directory, or one above, is reached through a symbolic link', async () => {
    const sources = join(home, 'rstudio/sources')
    await mkdir(join(sources, 'session-1'), { recursive: true })
    await symlink(join(sources, 'session-1'), join(home, 'here'))
    await symlink(sources, join(home, 'elsewhere'))
    const locker = lockerOf(type)
    await expect(locker.tryAcquire(join(home, 'here/lock_file'))).rejects.toMatchObject(REFUSED)
    await expect(locker.tryAcquire(join(home, 'elsewhere/session-1/lock_file'))).rejects.toMatchObject(REFUSED)
    expect(await readdir(join(sources, 'session-1'))).toEqual([])
  })

  test('their free, empty advisory file stays', async () => {
    await mkdir(join(home, 'sources/session-1'), { recursive: true })
    const path = await write('sources/session-1/lock_file', '')
    await expect(lockerOf(type).tryAcquire(path)).rejects.toMatchObject(REFUSED)
    expect(await readFile(path, 'utf8')).toBe('')
  })

  test('a lock of theirs is refused at any path, and stays: legacy, 2026, released', async () => {
    const legacy = await write('legacy', `${process.pid}`)
    const held = await write('held', `${process.pid}\n`)
    await link(held, join(home, '.rstudio-lock-owner-41c29-0123456789abcdef0123456789abcdef'))
    const released = await write('released', '-1\n', 0)
    const before = await tree()
    for (const path of [legacy, held, released]) await expect(lockerOf(type).tryAcquire(path)).rejects.toMatchObject(REFUSED)
    expect(await tree()).toEqual(before)
    expect(await readFile(released, 'utf8')).toBe('-1\n')
  })
})

test.each(['hard link', 'rename'] as const)('a link of theirs is named as a lock of theirs (%s)', async (type) => {
  const owner = join(home, '.rstudio-lock-owner-41c29-0123456789abcdef0123456789abcdef')
  await symlink(owner, join(home, 'link'))
  await expect(lockerOf(type).tryAcquire(join(home, 'link'))).rejects.toMatchObject(REFUSED)
})

describe.each(['advisory', 'flock'] as const)('%s', (type) => {
  test('a file with a process id is locked unless it is a lock of theirs that may live', async () => {
    const child = spawn('true')
    await once(child, 'exit')
    const others = [
      await write('daemon.pid', `${process.pid}\n`),
      await write('gone.pid', `${child.pid}`),
      await write('old.pid', `${process.pid}`, Date.now() - 60_000),
      await write('text', 'not a number'),
    ]
    for (const path of others) expect(await lockerOf(type).tryAcquire(path)).not.toBeNull()
  })

  test('a lock file that becomes a lock of theirs is refused from then on', async () => {
    const path = await write('lock', '', Date.now() - 60_000)
    const locker = lockerOf(type)
    for (let times = 0; times < 3; times++) await (await locker.acquire(path)).release()
    await write('lock', `${process.pid}`)
    await expect(locker.tryAcquire(path)).rejects.toMatchObject(REFUSED)
  })
})
