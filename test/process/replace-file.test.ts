/** Goal: a file that was replaced under a lock is for the same people as before, and a link still leads where it led. */

import { execFileSync } from 'node:child_process'
import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLocker, type Lock, type Locker } from '../../dist/index.js'
import { temporaryFolder } from './support/folder.js'

const DIST = new URL('../../dist/index.js', import.meta.url).href
const isRoot = process.getuid?.() === 0

let folder: string
let file: string
let locker: Locker
let lock: Lock
beforeEach(async () => {
  folder = await temporaryFolder()
  file = join(folder, 'data')
  locker = createLocker()
  lock = await locker.acquire(join(folder, 'lock'))
})
afterEach(() => locker.close())

const modeOf = async (path: string) => (await stat(path)).mode & 0o7777

test.each([0o600, 0o640, 0o664, 0o755, 0o4755])('the new file has the mode of the old one (%o)', async (mode) => {
  await writeFile(file, 'old')
  await chmod(file, mode)
  await lock.replaceFile(file, 'new')
  expect(await readFile(file, 'utf8')).toBe('new')
  expect(await modeOf(file)).toBe(mode)
  expect(await readdir(folder)).toEqual(
    ['data', 'lock'].concat((await readdir(folder)).filter((name) => name.startsWith('.'))).sort(),
  )
})

test.each(['x'.repeat(255), 'ü'.repeat(127), '雪'.repeat(85)])('a file with the longest name is replaced (%s)', async (name) => {
  const path = join(folder, name)
  for (const text of ['old', 'new']) {
    await lock.replaceFile(path, text)
    expect(await readFile(path, 'utf8')).toBe(text)
  }
})

test('where there was no file, the umask decides', async () => {
  await lock.replaceFile(file, 'new')
  expect(await modeOf(file)).toBe(0o666 & ~process.umask())
})

test.runIf(isRoot)('root keeps owner and group', async () => {
  await writeFile(file, 'old')
  await chown(file, 1234, 4321)
  await chmod(file, 0o2640)
  await lock.replaceFile(file, 'new')
  expect(await stat(file)).toMatchObject({ uid: 1234, gid: 4321 })
  expect(await modeOf(file)).toBe(0o2640)
})

test.runIf(isRoot)(
  'a user that cannot give files away keeps the group where it is one of its own, and gives no other group its rights',
  async () => {
    await lock.release()
    await locker.close()
    await chmod(folder, 0o777)
    for (const [name, gid] of [
      ['shared', 4321],
      ['foreign', 999],
    ] as const) {
      await writeFile(join(folder, name), 'old')
      await chown(join(folder, name), 0, gid)
      await chmod(join(folder, name), 0o4664)
    }
    await mkdir(join(folder, 'own'), { mode: 0o777 })
    await chmod(join(folder, 'own'), 0o777)
    const program = `
    import { createLocker } from ${JSON.stringify(DIST)}
    const locker = createLocker()
    const lock = await locker.acquire(${JSON.stringify(join(folder, 'own/lock'))})
    for (const name of ['shared', 'foreign']) await lock.replaceFile(${JSON.stringify(folder)} + '/' + name, 'new')
    await locker.close()`
    execFileSync('setpriv', [
      '--reuid=1234',
      '--regid=1234',
      '--groups=4321',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
    ])
    expect(await stat(join(folder, 'shared'))).toMatchObject({ uid: 1234, gid: 4321 })
    expect(await modeOf(join(folder, 'shared'))).toBe(0o664)
    expect(await stat(join(folder, 'foreign'))).toMatchObject({ uid: 1234, gid: 1234 })
    expect(await modeOf(join(folder, 'foreign'))).toBe(0o604)
  },
)

test('through a symbolic link the file that it leads to is replaced, and the link stays', async () => {
  await mkdir(join(folder, 'there'))
  await writeFile(join(folder, 'there/target'), 'old')
  await chmod(join(folder, 'there/target'), 0o640)
  await symlink('there/target', file)
  await lock.replaceFile(file, 'new')
  expect(await readlink(file)).toBe('there/target')
  expect(await readFile(join(folder, 'there/target'), 'utf8')).toBe('new')
  expect(await modeOf(join(folder, 'there/target'))).toBe(0o640)
  expect(await readdir(join(folder, 'there'))).toEqual(['target'])
})

test('a FIFO in the place of the file is an error at once, and not waited for', async () => {
  execFileSync('mkfifo', [file])
  await expect(lock.readFile(file)).rejects.toMatchObject({ code: 'EINVAL' })
})

test('a link that leads nowhere is an error, and stays', async () => {
  await symlink('nowhere', file)
  await expect(lock.replaceFile(file, 'new')).rejects.toMatchObject({ code: 'ENOENT' })
  expect((await lstat(file)).isSymbolicLink()).toBe(true)
})

test('a lock that is over before the new file is in its place leaves the old one as it was, and nothing beside it', async () => {
  await writeFile(file, 'old')
  const replacing = lock.replaceFile(file, 'new')
  lock.releaseSync()
  await expect(replacing).rejects.toMatchObject({ code: 'LOCK_LOST' })
  expect(await readFile(file, 'utf8')).toBe('old')
  expect((await readdir(folder)).filter((name) => name.startsWith('data'))).toEqual(['data'])
})
