/**
 * Locks that Workbench respects, in projects that several users share. Goal: each user that may write there takes them in
 * turn, and what one user puts in the way leads to no file of another. Method: real users; links in the way of Ann's process
 * that lead to a directory of hers. Needs root.
 */

import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { type Installation, installation } from './support/installation.js'

const ANN = 4241
const EVE = 4242
const OURS = { refreshRateMs: 1000, timeoutIntervalMs: 4000, workbench: { timeoutIntervalMs: 4000 } } as const
const CLAIMS = '.rstudio-lock-claims-41c29'

let installed: Installation
let state: string
let notebooks: string
let path: string

beforeEach(async () => {
  installed = await installation({ addon: true })
  state = join(await temporaryFolder(), '.Rproj.user/shared')
  notebooks = join(state, 'notebooks')
  path = join(notebooks, 'lock_file')
  mkdirSync(notebooks, { recursive: true })
  for (const directory of [state, notebooks]) chmodSync(directory, 0o777)
})

const user = (uid: number, useSymlinks = false) =>
  Agent.start({ uid, fixtures: installed.fixtures, locker: { ...OURS, useSymlinks } })

/** A directory of Ann's that no other user may enter, with names that ours and theirs would replace. */
function privateOfAnn(folder: string): string {
  const directory = join(folder, 'private')
  mkdirSync(directory)
  for (const name of ['lock_file', '.lock_file.mountlock', CLAIMS]) writeFileSync(join(directory, name), '-1\n')
  for (const name of readdirSync(directory)) chownSync(join(directory, name), ANN, ANN)
  chownSync(directory, ANN, ANN)
  chmodSync(directory, 0o700)
  return directory
}

/** Its names, what is in each, and when a name was made or removed last. */
const seen = (directory: string) => ({
  changedMs: statSync(directory).mtimeMs,
  files: readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
})

describe.skipIf(process.getuid?.() !== 0)('in a directory of several users', () => {
  test.each([false, true])('they take a lock in turn, and keep each other out (symbolic links: %s)', async (useSymlinks) => {
    const [ann, eve] = await Promise.all([user(ANN, useSymlinks), user(EVE, useSymlinks)])
    let before = 0n
    for (const [holder, other] of [
      [ann, eve],
      [eve, ann],
      [ann, eve],
    ] as const) {
      const lock = await holder.acquire(path)
      expect(lock.token).toBeGreaterThan(before)
      before = lock.token as bigint
      expect(await other.tryAcquire(path)).toBeNull()
      expect(await lock.release()).toEqual({ lost: false })
    }
    await eve.ask('close')
    await (await ann.acquire(path)).release()
    await ann.ask('close')
    // The hidden directory goes with its last user, or is cleared by the next one.
    const left = readdirSync(notebooks).filter((name) => name !== '.lock_file.mountlock')
    expect(left).toEqual(useSymlinks ? [] : ['lock_file'])
    // An advisory session of any of them can lock what is there.
    if (!useSymlinks) expect(statSync(path).mode & 0o777).toBe(0o666)
  })

  test('that is sticky the released file stays with the user whose it is, and others are refused', async () => {
    chmodSync(notebooks, 0o1777)
    const [ann, eve] = await Promise.all([user(ANN), user(EVE)])
    await (await ann.acquire(path)).release()
    expect(await eve.refusal(path, 'tryAcquire')).toMatchObject({ code: 'NOT_PERMITTED' })
    expect(readFileSync(path, 'utf8')).toBe('-1\n')
    expect(statSync(path).uid).toBe(ANN)
    expect(await (await ann.acquire(path)).release()).toEqual({ lost: false })
  })

  test.each([CLAIMS, '.lock_file.mountlock'])('a link of another user in the place of %s leads nowhere', async (name) => {
    const bait = privateOfAnn(await temporaryFolder())
    symlinkSync(bait, join(notebooks, name))
    const before = seen(bait)
    const ann = await user(ANN)
    expect(await ann.refusal(path, 'tryAcquire')).toMatchObject({ name: 'LockFileSystemError' })
    await ann.ask('close')
    expect(seen(bait)).toEqual(before)
  })

  test('a path that another user makes lead elsewhere is refused', async () => {
    const bait = privateOfAnn(await temporaryFolder())
    symlinkSync(bait, join(state, 'elsewhere'))
    const before = seen(bait)
    const ann = await user(ANN)
    expect(await ann.refusal(join(state, 'elsewhere/lock_file'), 'tryAcquire')).toMatchObject({ code: 'NOT_PERMITTED' })
    await ann.ask('close')
    expect(seen(bait)).toEqual(before)
  })

  test('a link of another user at the public path leads nowhere, and stays', async () => {
    const bait = privateOfAnn(await temporaryFolder())
    const target = join(bait, `.rstudio-lock-owner-41c29-${'0'.repeat(32)}`)
    for (const absolute of [target, `${notebooks}/../../../${target}`]) {
      symlinkSync(absolute, path)
      const before = seen(bait)
      const ann = await user(ANN)
      expect(await ann.refusal(path, 'tryAcquire')).toMatchObject({ code: 'FOREIGN_LOCK' })
      await ann.ask('close')
      expect(seen(bait)).toEqual(before)
      path = join(notebooks, 'locktester_file')
    }
  })
})
