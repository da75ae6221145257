/**
 * Listings of a file server that reads the names first and looks each of them up then. Goal: a name that changes meanwhile, and is
 * in no listing, lets no process acquire a generation twice; what cannot be removed keeps no process from the lock. Method: the
 * protocol on a real directory, with moves of others between its operations and names left out of its listings.
 */

import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sessionOwner } from '../../src/drivers/identity.js'
import { attempt } from '../../src/protocol/acquire.js'
import { hardLinkClaim } from '../../src/protocol/claim-hard-link.js'
import { renameClaim } from '../../src/protocol/claim-rename.js'
import type { Operation } from '../../src/protocol/operations.js'
import { createSession, endSession, type Session } from '../../src/protocol/session.js'
import { cleanUp, release } from '../../src/protocol/settle.js'
import { newMemory, type Site } from '../../src/protocol/site.js'
import { run } from './protocol-run.js'

let directory: string
let path: string
let site: Site
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mountlock-names-'))
  path = join(directory, 'lock')
  mkdirSync(path)
  for (const name of ['.links', '10.free']) writeFileSync(join(path, name), '')
  site = newSite()
})
afterEach(() => rmSync(directory, { recursive: true }))

function newSite(): Site {
  const surroundings = { coherent: false, listsAtOnce: false, extraSilenceMs: 0, me: sessionOwner(), observations: new Map() }
  const { dev } = statSync(directory)
  return { path, directory, dev, mode: 0o755, claim: hardLinkClaim, memory: newMemory(), surroundings }
}

function newSession(): Session {
  const terms = { label: '', refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }
  const created = run(createSession(directory, sessionOwner(), terms))
  if (!created.ok) throw new Error(created.code)
  return created.value
}

/** Another process on another site acquires, and releases if it is told to. */
function another({ releases }: { releases: boolean }): void {
  const [elsewhere, session] = [newSite(), newSession()]
  const outcome = run(attempt(elsewhere, session, true))
  if (outcome.kind !== 'acquired') throw new Error(outcome.kind)
  const { generation, entry, below } = outcome
  run(cleanUp(elsewhere, below))
  if (releases) run(release(elsewhere, { generation, sessionId: session.record.id }, entry))
}

const entries = () => readdirSync(path).filter((name) => /^\d/.test(name))

test('a slow process whose listing misses the holder, because it changed its name, does not get a generation that was used', () => {
  let isLinked = false
  const outcome = run(attempt(site, newSession(), true), (operation) => {
    if (operation.op === 'link' && !isLinked) {
      isLinked = true
      another({ releases: true })
      another({ releases: false })
    }
    if (operation.op !== 'list' || !isLinked) return undefined
    return { ok: true, value: readdirSync(operation.path).filter((name) => name !== '12') }
  })
  expect(outcome.kind).toBe('busy')
  expect(entries()).toContain('12')
  // The next one sees which process holds it.
  expect(run(attempt(newSite(), newSession(), true)).kind).toBe('busy')
})

const unlinkOf = (operation: Operation, name: string) => operation.op === 'unlink' && operation.path === join(path, name)

test.each(['EPERM', 'EACCES', 'EBUSY', 'ETXTBSY'])(
  'what may not be removed (%s) is there, and keeps no process from the lock',
  (code) => {
    const outcome = run(attempt(site, newSession(), true), (operation) =>
      unlinkOf(operation, '10.free') ? { ok: false, code } : undefined,
    )
    expect(outcome).toMatchObject({ kind: 'acquired', generation: 11n })
    expect(entries().sort()).toEqual(['10.free', '11'])
  },
)

test('an answer that was lost once is asked for again', () => {
  let asked = 0
  const outcome = run(attempt(site, newSession(), true), (operation) =>
    unlinkOf(operation, '10.free') && asked++ === 0 ? { ok: false, code: 'EIO' } : undefined,
  )
  expect(outcome).toMatchObject({ kind: 'acquired', generation: 11n })
})

test('an error that persists is told, and the lock is given back', () => {
  const outcome = run(attempt(site, newSession(), true), (operation) =>
    unlinkOf(operation, '10.free') ? { ok: false, code: 'EIO' } : undefined,
  )
  expect(outcome).toMatchObject({ kind: 'failed', action: 'remove', code: 'EIO' })
  expect(entries()).toContain('11.free')
  expect(run(attempt(newSite(), newSession(), true))).toMatchObject({ kind: 'acquired', generation: 12n })
})

test('a dead holder whose late release renames its entry before it is removed hinders no takeover', () => {
  const dead = newSession()
  expect(run(attempt(newSite(), dead, true)).kind).toBe('acquired')
  run(endSession(dead))
  const outcome = run(attempt(site, newSession(), true), (operation) => {
    if (unlinkOf(operation, '11')) renameSync(join(path, '11'), join(path, '11.free'))
    return undefined
  })
  expect(outcome).toMatchObject({ kind: 'acquired', generation: 12n })
  expect(entries()).toEqual(['12'])
})

test('a rename without an answer that happens during the listing is not taken for a race that was lost', () => {
  renameSync(join(path, '.links'), join(path, '.renames'))
  const renames = { ...site, claim: renameClaim }
  const session = newSession()
  let isUnanswered = false
  const outcome = run(attempt(renames, session, true), (operation) => {
    if (operation.op === 'rename') {
      isUnanswered = true
      return { ok: false, code: 'ETIMEDOUT' }
    }
    if (operation.op !== 'list' || !isUnanswered) return undefined
    renameSync(join(path, '10.free'), join(path, renameClaim.entry(11n, session)))
    return { ok: true, value: ['.renames'] }
  })
  expect(outcome).toMatchObject({ kind: 'session-spent', why: 'doubtful' })
  // It is settled, and the lock is to be had again.
  expect(renames.memory.unsettled).toEqual({ generation: 11n, sessionId: session.record.id })
  expect(run(attempt(renames, newSession(), true))).toMatchObject({ kind: 'acquired', generation: 12n })
})
