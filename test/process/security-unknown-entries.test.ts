/** Things in a lock directory that are not mountlock's. Goal: they are left alone, reported by `inspect`, and stop no process from locking. */

import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { LockerOptions } from '../../dist/index.js'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'

/** Names of every kind that a stranger, a backup program or an administrator might leave, nearly ours among them. */
const FILES = [
  'README',
  '.nfs0000000000000001',
  '017',
  '17.freed',
  '-5',
  '1e9',
  '.links~',
  ' 18',
  '18 ',
  '١٨',
  'a\nb',
  '\u001b[2J',
  '123456789012345678901',
  '.look-short',
]

test.each<{ kind: string; locker: LockerOptions }>([
  { kind: 'hard link', locker: {} },
  { kind: 'symlink', locker: { useSymlinks: true } },
  { kind: 'rename', locker: { lockType: 'renamebased' } },
])(
  'unknown entries in a lock directory stay where they are and as they are, are reported, and hinder no process ($kind)',
  async ({ locker }) => {
    const folder = await temporaryFolder()
    const path = join(folder, 'lock')
    const [first, second] = (await Promise.all([Agent.start({ locker }), Agent.start({ locker })])) as [Agent, Agent]
    await (await first.acquire(path)).release()
    for (const name of FILES) writeFileSync(join(path, name), name)
    mkdirSync(join(path, 'a directory'))
    execFileSync('mkfifo', [join(path, 'a fifo')])
    symlinkSync('/etc/passwd', join(path, 'a link'))
    // A name that is not UTF-8.
    writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe, 0x31])]), '')
    const planted = [...FILES, 'a directory', 'a fifo', 'a link', '\ufffd\ufffd1'].sort()
    const stamps = () =>
      readdirSync(path)
        .filter((name) => FILES.includes(name))
        .map((name) => [name, lstatSync(join(path, name)).mtimeMs])
    const before = stamps()

    for (const agent of [first, second, first]) {
      expect((await agent.inspect(path)).unknownEntries.toSorted()).toEqual(planted)
      const lock = await agent.acquire(path)
      expect((await second.inspect(path)).state).toBe('held')
      expect(await lock.release()).toEqual({ lost: false })
    }
    expect((await second.inspect(path)).unknownEntries.toSorted()).toEqual(planted)
    expect(stamps()).toEqual(before)
  },
)

test('a directory, a fifo or a strange file in the place of the highest generation means held by an unknown process, and is never removed', async () => {
  const agent = await Agent.start()
  for (const make of [
    (path: string) => mkdirSync(path),
    (path: string) => execFileSync('mkfifo', [path]),
    (path: string) => writeFileSync(path, 'x'.repeat(1_000_000)),
  ]) {
    const path = join(await temporaryFolder(), 'lock')
    const lock = await agent.acquire(path)
    await lock.release()
    const planted = String(lock.token + 1n)
    make(join(path, planted))
    expect(await agent.tryAcquire(path)).toBeNull()
    expect(await agent.inspect(path)).toMatchObject({ state: 'unknown', holder: null })
    expect(readdirSync(path)).toContain(planted)
  }
})
