/**
 * Directories that are shared by an access control list, and by a group without the set-group-id bit. Goal: the second user
 * locks there, whichever came first, and no other user can do more with a lock than with its directory. Method: real users, with
 * lists set by setfacl(1), and the lists of what was made read by getfacl(1). Needs root.
 */

import { execFileSync } from 'node:child_process'
import { chownSync, chmodSync, readdirSync, statSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'

const ANN = 61_001
const BOB = 61_002
const EVE = 61_003
const TEAM = 61_100
const PROGRAM = new URL('../../bin/locktester', import.meta.url).pathname

const setAcl = (path: string, ...entries: string[]) => execFileSync('setfacl', ['-m', entries.join(','), path])
const aclOf = (path: string) => execFileSync('getfacl', ['-cpnE', path], { encoding: 'utf8' }).trim().split('\n').sort()

/** Of Ann, for no other users than those of the list. */
async function sharedFolder(...entries: string[]): Promise<string> {
  const folder = await temporaryFolder(0o700)
  chownSync(folder, ANN, ANN)
  setAcl(folder, ...entries)
  return folder
}

describe.each([...KINDS, { kind: 'flock', locker: { lockType: 'advisory' } } as const])('$kind', ({ locker }) => {
  test.each([
    { first: 'its owner', firstUid: ANN, secondUid: BOB },
    { first: 'the user of its list', firstUid: BOB, secondUid: ANN },
  ])('in a directory shared by a list, $first comes first and the other one locks as well', async ({ firstUid, secondUid }) => {
    const folder = await sharedFolder(`u:${BOB}:rwx`)
    const { fixtures } = await installation()
    const addon = 'node_modules/fs-ext'
    await cp(new URL(`../../${addon}`, import.meta.url), join(fixtures, '../../..', addon), { recursive: true })
    const start = (uid: number) => Agent.start({ locker, uid, fixtures })
    const [first, second, eve] = await Promise.all([start(firstUid), start(secondUid), start(EVE)])
    const lock = { path: join(folder, 'lock') }
    const held = (await first.ask('acquire', lock)) as object
    expect(await second.ask('tryAcquire', lock)).toBeNull()
    expect(await first.ask('release', held)).toEqual({ lost: false })
    const next = (await second.ask('acquire', { ...lock, waitMs: 5000 })) as object
    expect(await first.ask('tryAcquire', lock)).toBeNull()
    expect(await second.ask('release', next)).toEqual({ lost: false })
    expect(await eve.refusal(lock.path)).toMatchObject({ code: 'ACCESS_DENIED' })
  })
})

test('a lock directory gives each user and group what its directory gives them, and no more', async () => {
  const folder = await sharedFolder(`u:${BOB}:rwx`, `u:${EVE}:r-x`, `g:${TEAM}:rwx`, 'm::rwx')
  const { fixtures } = await installation()
  const bob = await Agent.start({ uid: BOB, fixtures })
  await bob.acquire(join(folder, 'lock'))
  expect(aclOf(join(folder, 'lock'))).toEqual(
    [
      'user::rwx',
      `user:${ANN}:rwx`,
      `user:${BOB}:rwx`,
      `user:${EVE}:r-x`,
      'group::---',
      `group:${ANN}:---`,
      `group:${TEAM}:rwx`,
      'mask::rwx',
      'other::---',
    ].sort(),
  )
})

test('without the programs for lists the second user is refused, and told the command for a default list', async () => {
  const folder = await sharedFolder(`u:${BOB}:rwx`)
  const { fixtures } = await installation()
  const ann = await Agent.start({ uid: ANN, fixtures, under: ['env', 'PATH=/nowhere'] })
  const bob = await Agent.start({ uid: BOB, fixtures })
  await ann.acquire(join(folder, 'lock'))
  expect(await bob.refusal(join(folder, 'lock'))).toMatchObject({
    code: 'ACCESS_DENIED',
    message: expect.stringContaining('setfacl -d -m u:USER:rwx DIRECTORY'),
  })
})

test('a default list is left as it was made', async () => {
  const folder = await sharedFolder(`u:${BOB}:rwx`, `d:u:${BOB}:rwx`, `d:u:${EVE}:r-x`)
  const { fixtures } = await installation()
  const ann = await Agent.start({ uid: ANN, fixtures })
  await ann.acquire(join(folder, 'lock'))
  const list = aclOf(join(folder, 'lock'))
  expect(list).toContain(`user:${BOB}:rwx`)
  expect(list).toContain(`user:${EVE}:r-x`)
})

test("in a directory of a group, a lock is the group's, or its maker's alone", async () => {
  const folder = await temporaryFolder(0o770)
  chownSync(folder, 0, TEAM)
  chmodSync(folder, 0o770)
  const root = await Agent.start()
  await root.acquire(join(folder, 'lock'))
  expect(statSync(join(folder, 'lock'))).toMatchObject({ gid: TEAM, mode: 0o040770 })
})

test('locktester runs for both users of a list', async () => {
  const folder = await sharedFolder(`u:${BOB}:rwx`)
  for (const uid of [ANN, BOB]) {
    const user = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
    execFileSync('setpriv', [...user, process.execPath, PROGRAM, '--no-hold', '--quiet', folder], {
      stdio: 'pipe',
      cwd: '/',
      env: { HOME: '/' },
    })
  }
  expect(readdirSync(folder)).toContain('.locktester')
})
