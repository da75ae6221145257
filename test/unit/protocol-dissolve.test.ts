/**
 * A lock directory that is taken away, as slow processes leave it, and while others do the same. Goal: what cannot become a lock
 * again is taken away to the end, and what changes meanwhile is looked at again. Method: the protocol on a real directory, in a state
 * that a stalled process brings about, or step by step.
 */

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync, renameSync, rmdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sessionOwner } from '../../src/drivers/identity.js'
import { runProtocolBlocking } from '../../src/drivers/run.js'
import { type Dissolution, dissolve } from '../../src/protocol/dissolve.js'
import { dissolvedNote, type LockKind } from '../../src/protocol/names.js'
import type { Operation, Protocol } from '../../src/protocol/operations.js'
import type { LockView } from '../../src/protocol/settle.js'

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

/** `before`: what another process does right before an operation. */
function dissolveWhile(site: LockView, wanted: LockKind | null, before: (operation: Operation) => void): Dissolution {
  const steps = dissolve(site, wanted)
  let step = steps.next()
  while (!step.done) {
    const operation = step.value
    before(operation)
    step = steps.next(runProtocolBlocking(only(operation), asker))
  }
  return step.value
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
