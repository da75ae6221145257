/**
 * Users and modes. Goal: a user that may create files in a directory may lock there, whatever its umask, and the sticky
 * bit does not get in the way. Method: agents with strange umasks, and agents that run as two different users.
 */

import { chmod, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'
import { PATIENCE } from './support/waiting.js'

const ANN = 61_001
const BOB = 61_002

const modeOf = async (path: string) => (await stat(path)).mode & 0o7777

describe.each(KINDS)('$kind', ({ kind, locker }) => {
  test.each([
    { umask: 0o077, folderMode: 0o755 },
    { umask: 0o077, folderMode: 0o1777 },
    { umask: 0o000, folderMode: 0o700 },
    { umask: 0o000, folderMode: 0o750 },
    { umask: 0o777, folderMode: 0o770 },
  ])(
    'with umask $umask the lock gets the permission bits of its directory, and the session file 0644',
    async ({ umask, folderMode }) => {
      const folder = await temporaryFolder(folderMode)
      const agent = await Agent.start({ locker, umask })
      await agent.acquire(join(folder, 'lock'))
      expect(await modeOf(join(folder, 'lock'))).toBe(folderMode)
      const [session] = (await readdir(folder)).filter((name) => name.startsWith('.mountlock-'))
      expect(await modeOf(join(folder, session as string))).toBe(0o644)
      expect(await modeOf(join(folder, 'lock', kind === 'rename' ? '.renames' : '.links'))).toBe(0o644)
    },
  )
})

describe.each(KINDS.filter(({ kind }) => kind !== 'rename'))('two users in a sticky directory, $kind', ({ locker }) => {
  async function twoUsers() {
    const folder = await temporaryFolder(0o1777)
    const { fixtures } = await installation()
    const [ann, bob] = await Promise.all([
      Agent.start({ locker, uid: ANN, fixtures, umask: 0o077 }),
      Agent.start({ locker, uid: BOB, fixtures, umask: 0o077 }),
    ])
    return { path: join(folder, 'lock'), ann, bob }
  }

  test('exclude each other, and hand the lock on many times without filling its directory', async () => {
    const { path, ann, bob } = await twoUsers()
    let token = 0n
    for (let round = 0; round < 40; round++) {
      const [first, second] = round % 2 === 0 ? [ann, bob] : [bob, ann]
      const held = await first.acquire(path)
      expect(held.token).toBeGreaterThan(token)
      token = held.token
      expect(await second.tryAcquire(path)).toBeNull()
      expect(await held.release()).toEqual({ lost: false })
    }
    // What a user may remove it removes in the background.
    await expect.poll(async () => (await readdir(path)).length, PATIENCE).toBeLessThan(8)
  })

  test('take over from each other when one is killed', async () => {
    const { path, ann, bob } = await twoUsers()
    const held = await ann.acquire(path)
    await ann.murder()
    const taken = await bob.acquire(path)
    expect(taken.token).toBeGreaterThan(held.token)
    expect(await taken.release()).toEqual({ lost: false })
    expect((await bob.acquire(path)).token).toBeGreaterThan(taken.token)
  })

  test('that may write to it and not read it are told which permission is missing', async () => {
    const folder = await temporaryFolder(0o1733)
    const { fixtures } = await installation()
    const [ann, bob] = await Promise.all([ANN, BOB].map((uid) => Agent.start({ locker, uid, fixtures })))
    const held = await (ann as Agent).acquire(join(folder, 'lock'))
    expect(await (bob as Agent).refusal(join(folder, 'lock'))).toMatchObject({
      code: 'ACCESS_DENIED',
      message: expect.stringContaining('The user needs read, write and search permission'),
    })
    expect(await held.release()).toEqual({ lost: false })
  })

  test('see which process holds the lock', async () => {
    const { path, ann, bob } = await twoUsers()
    await ann.acquire(path)
    expect(await bob.inspect(path)).toMatchObject({ state: 'held', holder: { pid: ann.pid, uid: ANN } })
    expect((await bob.refusal(path, 'acquire', 100)).message).toContain(`process ${ann.pid} `)
  })
})

test('a user with the right to read the directory alone can inspect the lock, and is refused when acquiring', async () => {
  const folder = await temporaryFolder(0o755)
  const { fixtures } = await installation()
  const [root, ann] = await Promise.all([Agent.start(), Agent.start({ uid: ANN, fixtures })])
  const path = join(folder, 'lock')
  await root.acquire(path)
  expect(await ann.inspect(path)).toMatchObject({ state: 'held', holder: { pid: root.pid, uid: 0 } })
  expect(await ann.refusal(path)).toMatchObject({ code: 'ACCESS_DENIED' })
})

test('a holder whose directory loses its write permission keeps its lock, since heartbeats write a file that it owns', async () => {
  const folder = await temporaryFolder(0o777)
  const { fixtures } = await installation()
  const ann = await Agent.start({ uid: ANN, fixtures })
  const held = await ann.acquire(join(folder, 'lock'))
  await chmod(folder, 0o555)
  let before = (await held.status()).remainingMs
  for (let rises = 0; rises < 3;) {
    const { remainingMs } = await held.status()
    expect(remainingMs).toBeGreaterThan(0)
    if (remainingMs > before) rises++
    before = remainingMs
  }
  expect(await held.release()).toEqual({ lost: false })
})
