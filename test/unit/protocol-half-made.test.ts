/**
 * An entry that is half made: a client that makes symbolic links in steps left an empty file, which tells no process whose it is.
 * Goal: the lock is free again after seconds, and a claimant that is slow never holds it beside another. Method: the protocol on a
 * real directory, with symbolic links, listings that count as made name by name, and a clock that the test moves.
 */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sessionOwner } from '../../src/drivers/identity.js'
import { attempt } from '../../src/protocol/acquire.js'
import { symlinkClaim } from '../../src/protocol/claim-symlink.js'
import type { Operation } from '../../src/protocol/operations.js'
import { createSession, type Session } from '../../src/protocol/session.js'
import { newMemory, type Site } from '../../src/protocol/site.js'
import { run } from './protocol-run.js'

let directory: string
let path: string
let aheadMs: number
beforeEach(() => {
  aheadMs = 0
  directory = mkdtempSync(join(tmpdir(), 'mountlock-half-made-'))
  path = join(directory, 'lock')
  mkdirSync(path)
  for (const name of ['.links', '10.free', '11']) writeFileSync(join(path, name), '')
})
afterEach(() => rmSync(directory, { recursive: true }))

function newSite(): Site {
  const surroundings = { coherent: false, listsAtOnce: false, extraSilenceMs: 0, me: sessionOwner(), observations: new Map() }
  return { path, directory, dev: statSync(directory).dev, mode: 0o755, claim: symlinkClaim, memory: newMemory(), surroundings }
}

function newSession(): Session {
  const created = run(createSession(directory, sessionOwner(), { label: '', refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }))
  if (!created.ok) throw new Error(created.code)
  return created.value
}

/** `meanwhile`: instead of an operation, or before it. */
const tryIt = (site: Site, session: Session, meanwhile: (operation: Operation) => unknown = () => undefined) =>
  run(attempt(site, session, true), (operation) => {
    const answer = meanwhile(operation)
    if (operation.op !== 'clock' || answer !== undefined) return answer
    return { ownMs: performance.now() + aheadMs, serverMs: Date.now() + aheadMs }
  })

const later = () => {
  aheadMs += 20_000
}
const entries = () => readdirSync(path).filter((name) => /^\d/.test(name))

test('a claim that stayed half made is left alone at first, and its generation is free after seconds', () => {
  const [site, session] = [newSite(), newSession()]
  expect(tryIt(site, session)).toMatchObject({ kind: 'busy', generation: 11n })
  later()
  expect(tryIt(site, session)).toMatchObject({ kind: 'acquired', generation: 12n })
  expect(entries()).toEqual(['12'])
})

test('so it is for a process that may have made it itself', () => {
  const [site, session] = [newSite(), newSession()]
  site.memory.unsettled = { generation: 11n, sessionId: session.record.id }
  expect(tryIt(site, session)).toMatchObject({ kind: 'busy' })
  later()
  expect(tryIt(site, session)).toMatchObject({ kind: 'acquired', generation: 12n })
})

test('a slow claimant that makes the rest afterwards does not count: what it claimed over is gone', () => {
  const [site, slow] = [newSite(), newSession()]
  unlinkSync(join(path, '11'))
  const outcome = tryIt(site, slow, (operation) => {
    if (operation.op !== 'symlink') return undefined
    // Its first step, and the others in the meantime; then its second step, and the reply.
    writeFileSync(join(path, '11'), '')
    const [elsewhere, other] = [newSite(), newSession()]
    tryIt(elsewhere, other)
    later()
    expect(tryIt(elsewhere, other)).toMatchObject({ kind: 'acquired', generation: 12n })
    if (!existsSync(join(path, '11'))) symlinkSync(`../${slow.name}`, join(path, '11'))
    return { ok: true, value: undefined }
  })
  expect(outcome.kind).toBe('busy')
  expect(entries()).toContain('12')
})

test('a claimant that counts meanwhile keeps its lock: what it removed cannot be moved', () => {
  const [site, session] = [newSite(), newSession()]
  const holder = newSession()
  tryIt(site, session)
  later()
  const outcome = tryIt(site, session, (operation) => {
    if (operation.op !== 'rename') return undefined
    unlinkSync(join(path, '11'))
    symlinkSync(`../${holder.name}`, join(path, '11'))
    unlinkSync(join(path, '10.free'))
    return undefined
  })
  expect(outcome).toMatchObject({ kind: 'busy', generation: 11n })
  expect(entries()).toEqual(['11'])
})

test('what counted once is no half-made claim, whatever became of its file', () => {
  const [site, session] = [newSite(), newSession()]
  unlinkSync(join(path, '10.free'))
  tryIt(site, session)
  later()
  expect(tryIt(site, session)).toMatchObject({ kind: 'busy', generation: 11n })
})
