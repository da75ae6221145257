/**
 * What `locktester break` does to a lock, step by step. Goal: it takes the lock from exactly the holder that was meant, leaves it
 * free, and touches nothing else; and no other process can hold the lock while the broken holder's entry is still there, by
 * which that holder would release it as if nothing had happened. Method: the protocol on real directories, looked at before
 * each of its operations.
 */

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sessionOwner } from '../../src/drivers/identity.js'
import { runProtocolBlocking } from '../../src/drivers/run.js'
import { attempt } from '../../src/protocol/acquire.js'
import { hardLinkClaim } from '../../src/protocol/claim-hard-link.js'
import { renameClaim } from '../../src/protocol/claim-rename.js'
import { symlinkClaim } from '../../src/protocol/claim-symlink.js'
import { breakHolder } from '../../src/protocol/maintain.js'
import type { Operation, Protocol } from '../../src/protocol/operations.js'
import { createSession, type Session } from '../../src/protocol/session.js'
import { release } from '../../src/protocol/settle.js'
import { type Claim, newMemory, type Site } from '../../src/protocol/site.js'

const TERMS = { label: '', refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }
const CLAIMS: Claim[] = [hardLinkClaim, symlinkClaim, renameClaim]

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mountlock-break-'))
  path = join(directory, 'lock')
})
afterEach(() => rm(directory, { recursive: true }))

/** Lives, whatever is asked. */
const asker = { leaseRemainingMs: () => 1000, wanted: () => true }
const run = <Result>(protocol: Protocol<Result>) => runProtocolBlocking(protocol, asker)

function newSession(): Session {
  const created = run(createSession(directory, sessionOwner(), TERMS))
  if (!created.ok) throw created.error
  return created.value
}

function siteOf(claim: Claim): Site {
  const surroundings = { coherent: true, listsAtOnce: true, extraSilenceMs: 0, me: sessionOwner(), observations: new Map() }
  return { path, directory, dev: statSync(directory).dev, mode: 0o755, claim, memory: newMemory(), surroundings }
}

function hold(claim: Claim): { generation: bigint; entry: string; release(): string } {
  const [site, session] = [siteOf(claim), newSession()]
  const outcome = run(attempt(site, session, false))
  if (outcome.kind !== 'acquired') throw new Error(`Expected the lock to be acquired, got ${outcome.kind}`)
  const { generation, entry } = outcome
  return { generation, entry, release: () => run(release(site, { generation, sessionId: session.record.id }, entry)).kind }
}

/** Calls `look` before each of its operations. */
function* lookedAt<Result>(protocol: Protocol<Result>, look: (next: Operation) => void): Protocol<Result> {
  let step = protocol.next()
  while (!step.done) {
    look(step.value)
    step = protocol.next(yield step.value)
  }
  return step.value
}

const generations = async () => (await readdir(path)).filter((name) => /^\d/.test(name))

describe.each(CLAIMS)('by $name', (claim) => {
  test('the lock is taken from the holder with that token, which finds it lost, and is free', async () => {
    const held = hold(claim)
    expect(run(breakHolder(siteOf(claim), newSession(), held.generation))).toEqual({ kind: 'broken' })
    expect(await generations()).toEqual([`${held.generation + 1n}.free`])
    expect(held.release()).toBe('lost')
    expect(hold(claim).generation).toBe(held.generation + 2n)
  })

  test('as long as the entry of the broken holder is there, no other process can hold the lock', () => {
    const held = hold(claim)
    const look = () => {
      const names = readdirSync(path)
      if (names.includes(held.entry)) expect(names).not.toContain(`${held.generation + 1n}.free`)
    }
    run(lookedAt(breakHolder(siteOf(claim), newSession(), held.generation), look))
  })

  test('a holder with another token is left alone', async () => {
    const held = hold(claim)
    const { generation: highest } = held
    for (const other of [highest - 1n, highest + 1n])
      expect(run(breakHolder(siteOf(claim), newSession(), other))).toEqual({ kind: 'other-token', highest })
    expect(held.release()).toBe('released')
  })

  test('so is one that came after the look', () => {
    const before = hold(claim)
    let after: ReturnType<typeof hold> | null = null
    const look = ({ op }: Operation) => {
      if (after !== null || (op !== 'link' && op !== 'symlink' && op !== 'rename')) return
      expect(before.release()).toBe('released')
      after = hold(claim)
    }
    const outcome = run(lookedAt(breakHolder(siteOf(claim), newSession(), before.generation), look))
    expect(outcome).toEqual({ kind: 'failed', outcome: 'beaten' })
    expect((after as ReturnType<typeof hold> | null)?.release()).toBe('released')
  })

  test('of a free lock nothing is changed', async () => {
    const held = hold(claim)
    held.release()
    const names = await readdir(path)
    expect(run(breakHolder(siteOf(claim), newSession(), held.generation))).toEqual({ kind: 'not-held', highest: held.generation })
    expect(await readdir(path)).toEqual(names)
  })

  test('of a lock of another kind, and of a directory that is no lock, nothing is changed', async () => {
    const other = claim.kind === 'links' ? renameClaim : hardLinkClaim
    const held = hold(other)
    const names = await readdir(path)
    const broken = () => run(breakHolder(siteOf(claim), newSession(), held.generation))
    expect(broken()).toEqual({ kind: 'failed', outcome: { kind: 'foreign', what: 'other-kind' } })
    expect(await readdir(path)).toEqual(names)
    await rm(path, { recursive: true })
    await mkdir(path)
    await writeFile(join(path, String(held.generation)), '')
    expect(broken()).toEqual({ kind: 'failed', outcome: { kind: 'foreign', what: 'unmarked' } })
    expect(await readdir(path)).toEqual([String(held.generation)])
  })

  test('where there is no lock, none is made', async () => {
    expect(run(breakHolder(siteOf(claim), newSession(), 1n))).toMatchObject({ kind: 'failed', outcome: { code: 'ENOENT' } })
    expect(await readdir(directory)).not.toContain('lock')
  })
})
