/**
 * A lock directory that is taken away, as slow processes leave it, and while others do the same. Goal: what cannot become a lock
 * again is taken away to the end, and what changes meanwhile is looked at again. Method: the protocol on a real directory, in a state
 * that a stalled process brings about, or step by step.
 */

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync, mkdirSync, renameSync, rmdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sessionOwner } from '../../src/drivers/identity.js'
import { runProtocolBlocking } from '../../src/drivers/run.js'
import { type Dissolution, dissolve } from '../../src/protocol/dissolve.js'
import { dissolvedNote, isDissolvedNote, type LockKind } from '../../src/protocol/names.js'
import type { FileStatus, Operation, Protocol, Reply } from '../../src/protocol/operations.js'
import type { LockView } from '../../src/protocol/settle.js'

const properLockfile = createRequire(import.meta.url)('proper-lockfile') as typeof import('proper-lockfile')

const asker = { leaseRemainingMs: () => 1000, wanted: () => true }

const MARKER = '.dissolved-links-18-0123456789abcdef'

/** A lock directory with these names in it. */
async function lockWith(names: string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'mountlock-dissolve-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'lock')
  await mkdir(path)
  for (const name of names) await writeFile(join(path, name), '')
  const surroundings = { coherent: true, listsAtOnce: true, extraSilenceMs: 0, me: sessionOwner(), observations: new Map() }
  return { path, directory, dev: statSync(directory).dev, surroundings }
}

/** What a file system of another kind says of a file. */
type Told = (status: FileStatus) => FileStatus

/** `before`: what another process does right before an operation. */
function dissolveWhile(
  site: LockView,
  wanted: LockKind | null,
  before: (operation: Operation) => void,
  told: Told = (status) => status,
): Dissolution {
  const steps = dissolve(site, wanted)
  let step = steps.next()
  while (!step.done) {
    const operation = step.value
    before(operation)
    const reply = runProtocolBlocking(only(operation), asker)
    step = steps.next(operation.op === 'stat' ? asTold(reply as Reply<FileStatus>, told) : reply)
  }
  return step.value
}

const asTold = (reply: Reply<FileStatus>, told: Told): Reply<FileStatus> =>
  reply.ok ? { ok: true, value: told(reply.value) } : reply

/** Every directory has the same number, as where one is made in the place of another. */
const numberedAgain: Told = (status) => (status.type === 'directory' ? { ...status, ino: 12 } : status)
const withoutBirth: Told = (status) => ({ ...numberedAgain(status), bornMs: null })
const TOLD = [
  ['the file system tells its birth', numberedAgain],
  ['no birth is told', withoutBirth],
] as const

class Crash extends Error {}

/** Takes a lock away, and dies before it removes the empty directory, or the note about it. */
function dissolveAndCrashBefore(last: 'directory' | 'note', site: LockView, told: Told): void {
  const crash = (operation: Operation) => {
    const isLast =
      last === 'directory'
        ? operation.op === 'rmdir' && operation.path === site.path
        : operation.op === 'unlink' && isDissolvedNote(basename(operation.path))
    if (isLast) throw new Crash()
  }
  expect(() => dissolveWhile(site, null, crash, told)).toThrow(Crash)
}

/** Until the file system's clock has ticked: what is made next has a later stamp. */
function tick(directory: string): void {
  const probe = join(directory, 'probe')
  const changedNs = () => {
    writeFileSync(probe, 'x')
    return statSync(probe, { bigint: true }).ctimeNs
  }
  for (const firstNs = changedNs(); changedNs() === firstNs;);
  unlinkSync(probe)
}

function* only(operation: Operation): Protocol<unknown> {
  return yield operation
}

test('one that another process is about to remove, and has removed when its note is looked for, is gone and not foreign', async () => {
  const site = await lockWith([])
  const note = join(site.directory, dissolvedNote(statSync(site.path).ino, MARKER))
  await writeFile(note, '')
  const outcome = dissolveWhile(site, 'links', (operation) => {
    if (operation.op !== 'list' || operation.path !== site.directory || !existsSync(note)) return
    rmdirSync(site.path)
    unlinkSync(note)
  })
  expect(outcome).toEqual({ kind: 'gone' })
  expect(await readdir(site.directory)).toEqual([])
})

test('one whose note another process puts back when it is looked for is not foreign', async () => {
  const site = await lockWith([])
  const note = join(site.directory, dissolvedNote(statSync(site.path).ino, MARKER))
  await writeFile(note, '')
  const outcome = dissolveWhile(site, 'links', (operation) => {
    if (operation.op === 'list' && operation.path === site.directory && existsSync(note))
      renameSync(note, join(site.path, MARKER))
  })
  expect(outcome).toEqual({ kind: 'gone' })
})

test.each(TOLD)(
  'a lock of proper-lockfile in the place of ours, with its inode number, is not taken for ours although a note stayed: %s',
  async (_, told) => {
    const site = await lockWith(['.links', '18.free'])
    dissolveAndCrashBefore('note', site, told)
    expect(existsSync(site.path)).toBe(false)
    tick(site.directory)
    const release = properLockfile.lockSync(site.path, { realpath: false, lockfilePath: site.path })
    expect(dissolveWhile(site, 'links', () => {}, told)).toEqual({ kind: 'foreign' })
    release()
    expect(existsSync(site.path)).toBe(false)
  },
)

test('nor is a directory whose program leaves its times alone, where the file system tells its birth', async () => {
  const site = await lockWith(['.links', '18.free'])
  dissolveAndCrashBefore('note', site, numberedAgain)
  tick(site.directory)
  mkdirSync(site.path)
  expect(dissolveWhile(site, 'links', () => {}, numberedAgain)).toEqual({ kind: 'foreign' })
  expect(await readdir(site.path)).toEqual([])
})

test.each(TOLD)(
  'one that a process has emptied and not removed, because it died, is taken away although another has looked in it since: %s',
  async (_, told) => {
    const site = await lockWith(['.links', '18.free'])
    dissolveAndCrashBefore('directory', site, told)
    tick(site.directory)
    const trace = join(site.path, '.look-0123456789abcdef')
    writeFileSync(trace, '')
    unlinkSync(trace)
    expect(dissolveWhile(site, null, () => {}, told)).toEqual({ kind: 'gone' })
    expect(await readdir(site.directory)).toEqual([])
  },
)

test('an empty directory without a note is no lock of ours', async () => {
  const site = await lockWith([])
  expect(dissolveWhile(site, 'links', () => {})).toEqual({ kind: 'foreign' })
  expect(await readdir(site.directory)).toEqual(['lock'])
})

test('one that its holder releases, and cannot take away because of our marker, is taken away by us', async () => {
  const site = await lockWith(['.links', '18.free'])
  const [held, free] = [join(site.path, '19'), join(site.path, '19.free')]
  let isTaken = false
  const outcome = dissolveWhile(site, null, (operation) => {
    if (operation.op === 'rename' && isTaken && existsSync(held)) renameSync(held, free)
    if (operation.op !== 'list' || isTaken || existsSync(join(site.path, '.links'))) return
    isTaken = true
    writeFileSync(held, 'of another version')
  })
  expect(isTaken).toBe(true)
  expect(outcome).toEqual({ kind: 'gone' })
})

test('the last entry of a lock of renames was renamed away while the marker was back in its place: the lock goes', async () => {
  const site = await lockWith(['.renames', '.dissolved-renames-18-0123456789abcdef'])
  expect(runProtocolBlocking(dissolve(site, null), asker)).toEqual({ kind: 'gone' })
  expect(await readdir(site.directory)).toEqual([])
})
