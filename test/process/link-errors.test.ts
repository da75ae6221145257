/**
 * Errors. Goal: whatever the file system refuses, the caller learns in one sentence what to do, by a code that stays, with
 * the system's own error as the cause; and nothing is left held or half made. Method: each error is provoked for real.
 */

import { execFileSync } from 'node:child_process'
import { link, mkdir, mkdtemp, readFile, readdir, rm, rmdir, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { imageShare, memoryShare, readOnlyShare } from './support/image.js'
import { installation } from './support/installation.js'
import { sshShare } from './support/ssh-share.js'

const properLockfile = createRequire(import.meta.url)('proper-lockfile') as typeof import('proper-lockfile')

const NOBODY = 65534
const CALLS = ['tryAcquire', 'acquire', 'tryAcquireSync', 'acquireSync'] as const

describe.each(KINDS)('$kind', ({ locker }) => {
  test('a missing directory is an error, and is not created', async () => {
    const folder = await temporaryFolder()
    const agent = await Agent.start({ locker })
    for (const call of CALLS) {
      const error = await agent.refusal(join(folder, 'missing', 'lock'), call)
      expect(error).toMatchObject({ name: 'LockFileSystemError', code: 'PARENT_MISSING', errno: 'ENOENT' })
      expect(error.cause).toMatchObject({ code: 'ENOENT' })
      expect(error.advice).toMatch(/Create it first/)
    }
    expect(await readdir(folder)).toEqual([])
  })

  test('a path through a regular file is an error', async () => {
    const file = join(await temporaryFolder(), 'file')
    await writeFile(file, '')
    const agent = await Agent.start({ locker })
    for (const call of CALLS)
      expect(await agent.refusal(join(file, 'lock'), call)).toMatchObject({ code: 'PARENT_NOT_DIRECTORY', errno: 'ENOTDIR' })
  })

  test('a directory that is a link into the void is an error that names the link, and does not ask to create it', async () => {
    const link = join(await temporaryFolder(), 'link')
    await symlink('/not/mounted', link)
    const agent = await Agent.start({ locker })
    for (const call of CALLS) {
      const refused = await agent.refusal(join(link, 'lock'), call)
      expect(refused).toMatchObject({ code: 'PARENT_MISSING', errno: 'ENOENT' })
      expect(refused.message).toContain('is a symbolic link to /not/mounted, which is not there')
      expect(refused.advice).not.toContain('Create')
    }
  })

  test('a path that is a file with something in it is refused, and the file stays as it is', async () => {
    const file = join(await temporaryFolder(), 'file')
    await writeFile(file, 'precious')
    const agent = await Agent.start({ locker })
    for (const call of CALLS)
      expect(await agent.refusal(file, call)).toMatchObject({ name: 'ForeignLockError', code: 'FOREIGN_LOCK', path: file })
    expect((await agent.refusal(file)).message).toMatch(/a file with something in it/)
    expect(await readFile(file, 'utf8')).toBe('precious')
  })

  test('what is neither a file nor a directory is not called a file', async () => {
    const path = join(await temporaryFolder(), 'fifo')
    execFileSync('mkfifo', [path])
    const agent = await Agent.start({ locker })
    for (const call of CALLS)
      expect((await agent.refusal(path, call)).message).toContain(
        'it is neither a file nor a directory: a FIFO, a socket or a device',
      )
  })

  test('an empty directory, such as the lock of another library, is refused and not touched', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'foreign')
    await mkdir(path)
    const agent = await Agent.start({ locker })
    for (const call of CALLS) expect(await agent.refusal(path, call)).toMatchObject({ code: 'FOREIGN_LOCK' })
    expect(await agent.refusal(path, 'tryAcquire')).toMatchObject({ message: expect.stringMatching(/another program/) })
    expect(await readdir(path)).toEqual([])
  })

  test('a lock of which a cleaner of temporary files has left the generations, or nothing, is refused with the way out', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const agent = await Agent.start({ locker })
    await (await agent.acquire(path)).release()
    for (const name of (await readdir(path)).filter((name) => name.startsWith('.')))
      await rm(join(path, name), { recursive: true })
    const other = await Agent.start({ locker })
    for (const call of CALLS)
      expect(await other.refusal(path, call)).toMatchObject({
        code: 'FOREIGN_LOCK',
        message: expect.stringMatching(/without our marker.*Remove the whole directory/s),
      })
    await expect(other.inspect(path)).rejects.toMatchObject({
      remote: { message: expect.stringContaining('without our marker') },
    })
    for (const name of await readdir(path)) await rm(join(path, name))
    expect(await other.refusal(path, 'tryAcquire')).toMatchObject({ message: expect.stringContaining('remove it (rmdir)') })
    await rmdir(path)
    expect(await other.tryAcquire(path)).not.toBeNull()
  })

  test('a live lock of proper-lockfile is refused, and goes on living', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'file')
    await writeFile(file, '')
    const release = await properLockfile.lock(file)
    const agent = await Agent.start({ locker })
    expect(await agent.refusal(`${file}.lock`)).toMatchObject({ code: 'FOREIGN_LOCK' })
    expect(await properLockfile.check(file)).toBe(true)
    expect(await readdir(`${file}.lock`)).toEqual([])
    await release()
  })

  test('a name that is too long is an error; the longest that is not works', async () => {
    const folder = await temporaryFolder()
    const agent = await Agent.start({ locker })
    for (const call of CALLS) {
      expect(await agent.refusal(join(folder, 'x'.repeat(256)), call)).toMatchObject({
        code: 'NAME_TOO_LONG',
        errno: 'ENAMETOOLONG',
      })
      expect(await agent.refusal(join(folder, 'ü'.repeat(128)), call)).toMatchObject({ code: 'NAME_TOO_LONG' })
    }
    expect(await agent.tryAcquire(join(folder, 'x'.repeat(255)))).not.toBeNull()
    expect(await agent.tryAcquire(join(folder, 'ü'.repeat(127)))).not.toBeNull()
  })

  test('a read-only mount is an error', async () => {
    const { space, path } = await readOnlyShare()
    const agent = await Agent.start({ locker, on: space })
    for (const call of CALLS)
      expect(await agent.refusal(join(path, 'lock'), call)).toMatchObject({ code: 'READ_ONLY', errno: 'EROFS' })
    expect(await readdir(path)).toEqual([])
  })

  test('a directory that the user may not write to is an error', async () => {
    const folder = await temporaryFolder(0o755)
    const agent = await Agent.start({ locker, uid: NOBODY, fixtures: (await installation()).fixtures })
    for (const call of CALLS)
      expect(await agent.refusal(join(folder, 'lock'), call)).toMatchObject({ code: 'ACCESS_DENIED', errno: 'EACCES' })
  })

  test.each([
    { attribute: 'immutable', flag: 'i' },
    { attribute: 'append-only', flag: 'a' },
  ])('an $attribute directory is an error that names the attribute', async ({ flag }) => {
    const { space, path } = await imageShare('ext4')
    const folder = join(path, 'folder')
    await space.run('mkdir "$1" && chattr +$2 "$1"', folder, flag)
    const agent = await Agent.start({ locker, on: space })
    for (const call of CALLS) {
      const error = await agent.refusal(join(folder, 'lock'), call)
      expect(error).toMatchObject({ code: 'NOT_PERMITTED', errno: 'EPERM' })
      expect(error.advice).toMatch(/lsattr/)
    }
    await space.run('chattr -$2 "$1"', folder, flag)
    expect(await agent.tryAcquire(join(folder, 'lock'))).not.toBeNull()
  })

  test('an immutable lock is an error that names the attribute, not one about hard links', async () => {
    const { space, path } = await imageShare('ext4')
    const lock = join(path, 'lock')
    const agent = await Agent.start({ locker, on: space })
    await (await agent.acquire(lock)).release()
    await space.run('chattr +i "$1"', lock)
    for (const call of CALLS) expect(await agent.refusal(lock, call)).toMatchObject({ code: 'NOT_PERMITTED', errno: 'EPERM' })
    await space.run('chattr -i "$1"', lock)
    expect(await agent.tryAcquire(lock)).not.toBeNull()
  })

  test('a file system without a free inode is an error, and works again when there is one', async () => {
    const { space, path } = await memoryShare('size=1m,nr_inodes=16')
    const agent = await Agent.start({ locker, on: space })
    const lock = join(path, 'lock')
    await space.run('i=0; while touch "$1/filler $i" 2> /dev/null; do i=$((i + 1)); done', path)
    for (const call of CALLS) expect(await agent.refusal(lock, call)).toMatchObject({ code: 'NO_SPACE', errno: 'ENOSPC' })
    await space.run('rm "$1"/filler*', path)
    expect(await space.run('ls -A "$1"', path)).toBe('')
    expect(await agent.tryAcquire(lock)).not.toBeNull()
  })

  test('a file system without a free block is an error that leaves nothing behind, and works again when there is one', async () => {
    const { space, path } = await memoryShare('size=64k')
    const agent = await Agent.start({ locker, on: space })
    const lock = join(path, 'lock')
    await space.run('cat /dev/zero > "$1/filler" 2> /dev/null || true', path)
    for (const call of CALLS) expect(await agent.refusal(lock, call)).toMatchObject({ code: 'NO_SPACE', errno: 'ENOSPC' })
    expect(await space.run('ls -A "$1"', path)).toBe('filler\n')
    await space.run('rm "$1/filler"', path)
    expect(await agent.tryAcquire(lock)).not.toBeNull()
  })

  test.each(['', '\0', 'a\0b', '/'])('%j is not the path of a lock', async (path) => {
    const agent = await Agent.start({ locker })
    for (const call of CALLS) expect(await agent.refusal(path, call)).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

test('a file system that refuses hard links is named as such, with the setting that helps, which does help', async () => {
  const { space, path } = await sshShare(['disable_hardlink'])
  const [hard, symbolic] = await Promise.all([
    Agent.start({ on: space }),
    Agent.start({ on: space, locker: { useSymlinks: true } }),
  ])
  for (const call of CALLS) {
    const error = await hard.refusal(join(path, 'lock'), call)
    expect(error).toMatchObject({ code: 'HARD_LINKS_REFUSED' })
    expect(error.advice).toMatch(/use-symlinks=1/)
  }
  const held = await symbolic.acquire(join(path, 'lock'))
  expect(await held.release()).toEqual({ lost: false })
})

test('a file system on which rename acts on open files is refused for rename-based locks', async () => {
  const { space, path } = await sshShare()
  const agent = await Agent.start({ on: space, locker: { lockType: 'renamebased' } })
  for (const call of CALLS) expect(await agent.refusal(join(path, 'lock'), call)).toMatchObject({ code: 'RENAME_NOT_EXCLUSIVE' })
})

test('a session file that has all the hard links it may have is followed by another one', async () => {
  const { space, path } = await imageShare('ext2')
  const agent = await Agent.start({ on: space })
  const first = await agent.acquire(join(path, 'first'))
  // What takes 32,000 locks otherwise. The share is reached from here through the keeper of its namespace.
  const share = `/proc/${space.pid}/root${path}`
  const session = (await readdir(share)).find((name) => name.startsWith('.mountlock-41c29-')) as string
  const fillers = await mkdtemp(join(share, 'fillers'))
  expect(await linkUntilRefused(join(share, session), fillers)).toBe('EMLINK')

  const second = await agent.acquire(join(path, 'second'))
  const sessions = (await readdir(share)).filter((name) => name.startsWith('.mountlock-41c29-'))
  expect(sessions.length).toBe(2)
  for (const lock of [first, second]) expect(await lock.status()).toMatchObject({ held: true })
  for (const lock of [first, second]) expect(await lock.release()).toEqual({ lost: false })
})

/** Fills several folders: on ext2 each name costs as much as there are names. Returns the error that ended it. */
async function linkUntilRefused(file: string, folder: string): Promise<string> {
  for (let group = 0; ; group++) {
    const names = join(folder, String(group))
    await mkdir(names)
    for (let i = 0; i < 250; i++) {
      try {
        await link(file, join(names, String(i)))
      } catch (error) {
        return (error as NodeJS.ErrnoException).code as string
      }
    }
  }
}

test.each([
  { first: 'linkbased', second: 'renamebased' },
  { first: 'renamebased', second: 'linkbased' },
] as const)(
  'a lock that a $first locker holds is refused to a $second one; once released it makes way, and tokens go on increasing',
  async ({ first, second }) => {
    const path = join(await temporaryFolder(), 'lock')
    const [holder, next] = await Promise.all([
      Agent.start({ locker: { lockType: first } }),
      Agent.start({ locker: { lockType: second } }),
    ])
    const held = await holder.acquire(path)
    for (const call of CALLS) expect(await next.refusal(path, call)).toMatchObject({ code: 'FOREIGN_LOCK' })
    expect(await held.status()).toMatchObject({ held: true })
    await held.release()
    const taken = await next.acquire(path)
    expect(taken.token).toBeGreaterThan(held.token)
    expect(await holder.refusal(path)).toMatchObject({ code: 'FOREIGN_LOCK' })
  },
)

test('a symlink in the place of the lock that leads nowhere is an error, and stays', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'lock')
  await symlink('nowhere', path)
  const agent = await Agent.start()
  const error = await agent.refusal(path)
  expect(error.name).not.toBe('TypeError')
  expect(error.code).toMatch(/^[A-Z_]+$/)
  expect(await readdir(folder)).toEqual(expect.arrayContaining(['lock']))
})
