/**
 * Locks that Workbench respects, in projects that several users share. Goal: each user that may write there takes them in
 * turn, and what one user puts in the way leads to no file of another; a process of another user that is slow is waited for. Method:
 * real users; links in the way of Ann's process that lead to a directory of hers; Eve's process stopped at its calls. Needs root.
 */

import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Peer } from './fixtures/changeover-driver.mjs'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { type Installation, installation } from './support/installation.js'

const LONG = { timeout: 600_000 }
const ANN = 4241
const EVE = 4242
const OURS = { refreshRateMs: 1000, timeoutIntervalMs: 4000, workbench: { timeoutIntervalMs: 4000 } } as const
/** No process dies here, and one that is stopped on a busy machine keeps what it has. */
const PATIENT = { refreshRateMs: 5000, timeoutIntervalMs: 30_000, workbench: { timeoutIntervalMs: 30_000 } } as const
const CLAIMS = '.rstudio-lock-claims-41c29'

let installed: Installation
let state: string
let notebooks: string
let path: string

afterEach(() => Peer.endAll())
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

interface Shared {
  path: string
  file: string
}

/** A directory of that mode with a public path in it, and a file for what is counted under the lock. */
async function sharedPlace(mode: number): Promise<Shared> {
  const folder = await temporaryFolder()
  const directory = join(folder, '.Rproj.user/shared/notebooks')
  mkdirSync(directory, { recursive: true })
  const file = join(folder, 'counter')
  writeFileSync(file, '0')
  for (const [name, bits] of [
    [folder, 0o777],
    [dirname(directory), 0o777],
    [directory, mode],
    [file, 0o666],
  ] as const)
    chmodSync(name, bits)
  return { path: join(directory, 'lock_file'), file }
}

/** The kernel tells no parent that is Node. */
const POLL_MS = 5

/** Is it stopped before it has done everything? */
async function isStoppedBefore(peer: Peer, done: Promise<unknown>): Promise<boolean> {
  let isDone = false
  const markDone = () => void (isDone = true)
  done.then(markDone, markDone)
  for (let state = ''; !isDone && state !== 'T'; await setTimeout(POLL_MS)) {
    const status = readFileSync(`/proc/${peer.child.pid}/stat`, 'utf8')
    state = status.charAt(status.lastIndexOf(')') + 2)
  }
  return !isDone
}

/** Each call in a full run. Otherwise some, of the making of the hidden directory, of a try, of a release, and of its end. */
const { FIRST, STEP } = process.env.MOUNTLOCK_SOAK === undefined ? { FIRST: 25, STEP: 64 } : { FIRST: 1, STEP: 1 }
const AT_ONCE = 4

/** Until a life makes no call of that number. */
async function atCalls(life: (at: number) => Promise<boolean>): Promise<void> {
  for (let first = FIRST; ; first += AT_ONCE * STEP) {
    const lives = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => life(first + i * STEP)))
    if (!lives.every(Boolean)) return expect(first + (AT_ONCE - 1) * STEP).toBeGreaterThan(200)
  }
}

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
    // The hidden directory goes with its last user.
    expect(readdirSync(notebooks)).toEqual(useSymlinks ? [] : ['lock_file'])
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

  test.each([
    { how: 'may not have it, where names are sticky,', mode: 0o1777, eves: 'tryAcquire' },
    { how: 'takes it and gives it back', mode: 0o777, eves: 'hammer' },
  ])('a process that $how keeps no other out, at whichever call it stalls', LONG, async ({ mode, eves }) => {
    await atCalls(async (at) => {
      const place = await sharedPlace(mode)
      const ann = new Peer('changeover-agent.mjs', { locker: PATIENT })
      expect(await ann.ask({ ...place, op: 'hammer', times: 1, uid: ANN })).toMatchObject({ refused: 0 })
      const eve = new Peer('changeover-agent.mjs', { locker: PATIENT, at, signal: 'SIGSTOP' })
      const answering = eve.ask({ ...place, op: eves, times: 1, uid: EVE })
      const closing = answering.then(() => eve.ask({ ...place, op: 'close' }))
      const isStopped = await isStoppedBefore(eve, closing)
      const tried = await ann.ask({ ...place, op: 'tryAcquire' })
      expect(tried.error, `stopped before call ${at}`).toBeUndefined()
      if (tried.held) await ann.ask({ ...place, op: 'release' })
      eve.child.kill('SIGCONT')
      const after = await ann.ask({ ...place, op: 'hammer', times: 1 })
      expect(after, `stopped before call ${at}`).toMatchObject({ refused: 0, tokens: [expect.any(String)] })
      if (eves === 'hammer') expect(await answering, `stopped before call ${at}`).toMatchObject({ refused: 0 })
      expect([await closing, await ann.ask({ ...place, op: 'close' })]).toEqual([{ closed: true }, { closed: true }])
      const left = readdirSync(dirname(place.path)).filter((name) => mode === 0o777 || name !== '.lock_file.mountlock')
      expect(left, `stopped before call ${at}`).toEqual(['lock_file'])
      await Promise.all([eve.end(), ann.end()])
      return isStopped
    })
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
