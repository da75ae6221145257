/**
 * Work with an end. Goal: what another user puts into a shared directory decides neither how long a call blocks, nor how
 * long a process lives after its locker is closed, nor what `status` waits for. Method: directories that another user has
 * filled, and the system calls of real runs among them, as strace shows them.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { installation } from './support/installation.js'

const PROGRAM = new URL('../../bin/locktester', import.meta.url).pathname
const hasStrace = spawnSync('strace', ['-V']).status === 0
const isRoot = process.getuid?.() === 0

const ANN = 4241
const EVE = 4242

/** How many files others have put there: far more than any bound, few enough to be made in a moment. */
const MANY = 700

/** A directory that all users may write to, and in which each can remove only its own files. */
async function stickyFolder(): Promise<string> {
  const folder = await temporaryFolder()
  chmodSync(folder, 0o1777)
  return folder
}

function fileOf(uid: number, path: string, text: string): void {
  writeFileSync(path, text)
  chownSync(path, uid, uid)
}

const sessionName = (host: string, i: number) => `.mountlock-41c29-${host}-1-${i.toString(16).padStart(16, '0')}`

/** An agent of Ann's whose calls of these kinds are counted. */
async function tracedAgent(calls: string) {
  const { fixtures } = await installation()
  const traces = await temporaryFolder(0o777)
  const trace = join(traces, 'trace')
  const under = ['strace', '-f', '-qq', '-o', trace, '-e', `trace=${calls}`]
  const agent = await Agent.start({ uid: ANN, fixtures, under })
  const count = (name: RegExp) =>
    readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => name.test(line)).length
  return { agent, count, fixtures }
}

describe.skipIf(!isRoot || !hasStrace)('in a sticky directory that another user fills (needs root, strace)', () => {
  test('an attempt does not try to remove thousands of entries that it may not remove, and says what is wrong', async () => {
    const path = join(await stickyFolder(), 'lock')
    const { agent, count, fixtures } = await tracedAgent('unlink,unlinkat')
    // Of her own directory Ann could remove everything.
    const eve = await Agent.start({ uid: EVE, fixtures })
    await (await eve.acquire(path)).release()
    for (let i = 0; i < MANY; i++) fileOf(EVE, join(path, String(i)), '')
    expect(await agent.refusal(path, 'tryAcquireSync')).toMatchObject({ code: 'LOCK_DIRECTORY_CROWDED', path })
    expect(count(/unlink/)).toBeLessThan(100)
  })

  test('a lock directory that is being taken away, and is full of what may not be removed, costs a bounded number of calls', async () => {
    const path = join(await stickyFolder(), 'lock')
    mkdirSync(path)
    chownSync(path, EVE, EVE)
    chmodSync(path, 0o1777)
    for (let i = 0; i < MANY; i++) fileOf(EVE, join(path, String(i)), '')
    fileOf(EVE, join(path, `.dissolved-links-${MANY}-0123456789abcdef`), '')
    const { agent, count } = await tracedAgent('unlink,unlinkat')
    expect(await agent.refusal(path)).toMatchObject({ code: 'FOREIGN_LOCK', path })
    expect(count(/unlink/)).toBeLessThan(100)
  })

  test('what can be removed is removed step by step, and the lock works again', async () => {
    const path = join(await stickyFolder(), 'lock')
    const { agent, count } = await tracedAgent('unlink,unlinkat')
    await (await agent.acquire(path)).release()
    for (let i = 0; i < MANY; i++) fileOf(ANN, join(path, String(i)), '')
    expect(await agent.ask('tryAcquireSync', { path })).toBeNull()
    expect(count(/unlink/)).toBeLessThan(MANY)
    expect(await (await agent.acquire(path, 60_000)).release()).toEqual({ lost: false })
  })

  test('a process reads a bounded number of what looks like sessions, and ends soon after its locker is closed', async () => {
    const folder = await stickyFolder()
    const record = {
      mountlock: 1,
      beat: 1,
      state: 'alive',
      host: hostname(),
      pid: 1,
      uid: EVE,
      refreshRateMs: 1,
      check: '1 alive',
    }
    for (let i = 1; i <= MANY; i++) fileOf(EVE, join(folder, sessionName(hostname(), i)), JSON.stringify(record))
    const { agent, count } = await tracedAgent('openat')
    const lock = await agent.acquire(join(folder, 'lock'))
    await expect.poll(() => count(/41c29.*O_RDONLY/), { timeout: 20_000, interval: 20 }).toBeGreaterThan(0)
    await lock.release()
    await agent.ask('close')
    await agent.ask('end', { how: 'return' })
    await agent.ended
    expect(count(/41c29.*O_RDONLY/)).toBeLessThan(MANY / 2)
  })
})

test('status neither waits for a FIFO that is called like a session file, nor follows a link, nor reads more than a record', async () => {
  const folder = await temporaryFolder()
  mkdirSync(join(folder, 'lock'))
  spawnSync('mkfifo', [join(folder, sessionName('host', 1))])
  const outside = join(await temporaryFolder(), 'outside')
  const record = { mountlock: 1, beat: 1, state: 'alive', host: 'evil', pid: 1, check: '1 alive' }
  writeFileSync(outside, JSON.stringify(record))
  symlinkSync(outside, join(folder, sessionName('host', 2)))
  const startMs = performance.now()
  const { status, stdout } = spawnSync(process.execPath, [PROGRAM, 'status', '--json', folder], { encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout).not.toContain('evil')
  // A FIFO that is waited for costs the limit of ten seconds.
  expect(performance.now() - startMs).toBeLessThan(9000)
})
