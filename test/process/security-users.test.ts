/**
 * Locks that several users share. Goal: a user that may create files in the directory may lock, also in a sticky one, and
 * no other user can drop or fake a lock, by whatever operation. Method: real processes of two users; the attacks are plain
 * commands, and each of them has to fail by itself.
 */

import { execFile } from 'node:child_process'
import { chmodSync, chownSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { LockerOptions } from '../../dist/index.js'
import { Agent, type AgentOptions } from './support/agent.js'
import { cleared, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'

const execute = promisify(execFile)
const isRoot = process.getuid?.() === 0

const ANN = 4241
const EVE = 4242

const KINDS: { kind: string; locker: LockerOptions }[] = [
  { kind: 'hard link', locker: {} },
  { kind: 'symlink', locker: { useSymlinks: true } },
  { kind: 'rename', locker: { lockType: 'renamebased' } },
]
/** Their takeovers need no operation on another user's file. */
const STICKY_KINDS = KINDS.slice(0, 2)

/** A folder of Ann's. */
async function folderOfAnn(mode: number): Promise<string> {
  const folder = await temporaryFolder(mode)
  chownSync(folder, ANN, ANN)
  chmodSync(folder, mode)
  return folder
}

async function agents(...options: AgentOptions[]): Promise<Agent[]> {
  const { fixtures } = await installation()
  return Promise.all(options.map((each) => Agent.start({ ...each, fixtures })))
}

/** Runs a command as Eve. Which of them succeeded, and that is the thing to look at. */
async function succeedsForEve(commands: readonly string[]): Promise<string[]> {
  const user = [`--reuid=${EVE}`, `--regid=${EVE}`, '--clear-groups', '--']
  const done = await Promise.all(
    commands.map((command) =>
      execute('setpriv', [...user, 'sh', '-e', '-c', command]).then(
        () => [command],
        () => [],
      ),
    ),
  )
  return done.flat()
}

/** Every way in which a holder's files could be changed, removed or replaced. */
function attacks(folder: string, path: string): string[] {
  const session = readdirSync(folder).find((name) => name.startsWith('.mountlock-41c29-')) ?? ''
  const entry = readdirSync(path).find((name) => /^[0-9]+(?!.*free)/.test(name)) ?? ''
  if (session === '' || entry === '') throw new Error('Expected a lock that is held')
  const [file, held] = [`'${join(folder, session)}'`, `'${join(path, entry)}'`]
  return [
    `echo '{}' > ${file}`,
    `printf x | dd of=${file} conv=notrunc status=none`,
    `: >> ${held}`,
    `truncate -s 0 ${file}`,
    `rm -f ${file}`,
    `rm -f ${held}`,
    `mv ${held} ${held}.free`,
    `mv ${file} ${file}.moved`,
    `mv '${path}' '${path}.moved'`,
    `rm -rf '${path}'`,
    `rm -f '${path}/.links' '${path}/.renames' && test ! -e '${path}/.links' && test ! -e '${path}/.renames'`,
    `touch -d '10 years ago' ${file}`,
    `chmod 666 ${file}`,
    `chmod 777 '${path}'`,
    `ln -f /dev/null ${held}`,
  ]
}

describe.skipIf(!isRoot)('two users (needs root rights)', () => {
  describe.each(KINDS)('and a directory that only one of them may write to ($kind)', ({ locker }) => {
    test('the other one is refused, can change nothing by any means, and may look which process holds the lock', async () => {
      const folder = await folderOfAnn(0o755)
      const path = join(folder, 'lock')
      const [ann, eve] = (await agents({ locker, uid: ANN }, { locker, uid: EVE })) as [Agent, Agent]
      const lock = await ann.acquire(path)

      expect(await eve.refusal(path)).toMatchObject({ code: 'ACCESS_DENIED' })
      await cleared(path)
      const before = readdirSync(path)
      const more = [`: > '${path}/99999999999999999.free'`, `ln -s ../x '${path}/99999999999999999'`, `mkdir '${folder}/other'`]
      expect(await succeedsForEve([...attacks(folder, path), ...more])).toEqual([])
      expect(readdirSync(path)).toEqual(before)
      expect(await eve.inspect(path)).toMatchObject({ state: 'held', holder: { uid: ANN } })

      // Through more than one timeout-interval.
      expect(await ann.refusal(path, 'acquire', 2500)).toMatchObject({ code: 'LOCK_TIMEOUT' })
      expect(await lock.status()).toMatchObject({ held: true, asserted: null })
      expect(await lock.release()).toEqual({ lost: false })
    })
  })

  describe.each(STICKY_KINDS)('and a sticky directory that both may write to ($kind)', ({ locker }) => {
    test('they take turns as often as they like', async () => {
      const folder = await folderOfAnn(0o1777)
      const path = join(folder, 'lock')
      const both = (await agents({ locker, uid: ANN }, { locker, uid: EVE })) as [Agent, Agent]
      let last = 0n
      for (let turn = 0; turn < 60; turn++) {
        const lock = await (both[turn % 2] as Agent).acquire(path)
        expect(lock.token).toBeGreaterThan(last)
        expect(await (both[(turn + 1) % 2] as Agent).tryAcquire(path)).toBeNull()
        last = lock.token
        expect(await lock.release()).toEqual({ lost: false })
      }
    })

    test('neither can remove, rename or change what the other one holds', async () => {
      const folder = await folderOfAnn(0o1777)
      const path = join(folder, 'lock')
      const [ann, eve] = (await agents({ locker, uid: ANN }, { locker, uid: EVE })) as [Agent, Agent]
      const lock = await ann.acquire(path)
      expect(await succeedsForEve(attacks(folder, path))).toEqual([])
      expect(await eve.refusal(path, 'acquire', 2500)).toMatchObject({ code: 'LOCK_TIMEOUT' })
      expect(await lock.status()).toMatchObject({ held: true, asserted: null })
    })

    test('a crashed holder of one is taken over by the other', async () => {
      const folder = await folderOfAnn(0o1777)
      const path = join(folder, 'lock')
      const [ann, eve] = (await agents({ locker, uid: ANN }, { locker, uid: EVE })) as [Agent, Agent]
      const { token } = await ann.acquire(path)
      await ann.murder()
      const lock = await eve.acquire(path)
      expect(lock.token).toBeGreaterThan(token)
      expect(await lock.release()).toEqual({ lost: false })
    })

    test('a forged record with the identity of a holder, which says that it ended, convinces no process', async () => {
      const folder = await folderOfAnn(0o1777)
      const path = join(folder, 'lock')
      const [ann, carl, eve] = (await agents({ locker, uid: ANN }, { locker }, { locker, uid: EVE })) as [Agent, Agent, Agent]
      const lock = await ann.acquire(path)
      const session = readdirSync(folder).find((name) => name.startsWith('.mountlock-41c29-')) ?? ''
      const forged = join(folder, session.replace(/-[0-9]+-/, '-1-'))
      expect(forged).not.toBe(join(folder, session))
      writeFileSync(forged, readFileSync(join(folder, session), 'utf8').replaceAll('alive', 'ended'))
      chownSync(forged, EVE, EVE)
      // Their patrols bury the forged file, through more than one timeout-interval.
      for (const agent of [carl, eve]) expect(await agent.refusal(path, 'acquire', 2500)).toMatchObject({ code: 'LOCK_TIMEOUT' })
      expect(lstatSync(join(folder, session)).isFile()).toBe(true)
      expect(await lock.status()).toMatchObject({ held: true, asserted: null })
      expect(await lock.release()).toEqual({ lost: false })
    })
  })

  test('and a directory that both may write to, which is not sticky: nothing keeps one from removing the lock, and the holder learns of it', async () => {
    const folder = await folderOfAnn(0o777)
    const path = join(folder, 'lock')
    const [ann] = (await agents({ uid: ANN })) as [Agent]
    const lock = await ann.acquire(path)
    // The same attacks: those that need no more than to write to the directory.
    const [, , , , removeFile = '', ...rest] = attacks(folder, path)
    expect(await succeedsForEve([removeFile])).toEqual([removeFile])
    const removeLock =
      rest.find((command) => command.startsWith('rm -f') && command.includes('/lock/') && !command.includes('&&')) ?? ''
    expect(await succeedsForEve([removeLock])).toEqual([removeLock])
    expect((await lock.lost()).error).toMatchObject({ code: 'LOCK_LOST' })
  })

  test.each(['flock', 'fcntl'] as const)(
    'and an advisory lock in a sticky directory exclude each other (%s)',
    async (advisoryKind) => {
      const folder = await folderOfAnn(0o1777)
      const path = join(folder, 'lock')
      const locker: LockerOptions = { lockType: 'advisory', advisoryKind }
      const { fixtures } = await installation()
      const addon = 'node_modules/fs-ext'
      await cp(new URL(`../../${addon}`, import.meta.url), join(fixtures, '../../..', addon), { recursive: true })
      const [ann, eve] = (await Promise.all([ANN, EVE].map((uid) => Agent.start({ locker, uid, fixtures })))) as [Agent, Agent]
      expect(await ann.ask('tryAcquire', { path })).not.toBeNull()
      expect(await eve.ask('tryAcquire', { path })).toBeNull()
      expect(await succeedsForEve([`rm -f '${path}'`, `mv '${path}' '${path}.moved'`])).toEqual([])
    },
  )
})
