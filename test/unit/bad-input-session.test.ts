/**
 * What may stand in a session file: the record of another process, of another user or version, half a record, anything.
 * Goal: nothing of it crashes or hangs the protocol, and a holder is taken for dead only on the proofs of the design: its
 * own word that it ended, or a process of this host that is gone. Everything else means "alive". Method: the protocol runs
 * on a file system in memory; what it may conclude is decided by an oracle of its own, which shares no code with it.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attempt } from '../../src/protocol/acquire.js'
import { hardLinkClaim } from '../../src/protocol/claim-hard-link.js'
import { renameClaim } from '../../src/protocol/claim-rename.js'
import { symlinkClaim } from '../../src/protocol/claim-symlink.js'
import { inspect } from '../../src/protocol/inspect.js'
import { judge } from '../../src/protocol/judge.js'
import { markerName } from '../../src/protocol/names.js'
import { patrol } from '../../src/protocol/patrol.js'
import { decodeRecord, encodeRecord, type SessionRecord } from '../../src/protocol/record.js'
import { createSession, type Session } from '../../src/protocol/session.js'
import { type Claim, newMemory, type Site } from '../../src/protocol/site.js'
import { ME, newWorld, OWN_UID, run, type World } from './bad-input-memory.js'

const RUNS = 100_000
const TERMS = { label: '', refreshRateMs: 1000, timeoutIntervalMs: 3000 }
const GONE_PID = 4321
const NAME = '.mountlock-41c29-elsewhere-9-0123456789abcdef'
const NAME_HERE = '.mountlock-41c29-here-9-0123456789abcdef'

const records: fc.Arbitrary<SessionRecord> = fc.record({
  id: fc.constant('0123456789abcdef'),
  host: fc.constantFrom('here', 'elsewhere', ''),
  bootId: fc.constantFrom('boot', 'another boot', null),
  pidNamespace: fc.constantFrom('pids', 'other pids', null),
  pid: fc.constantFrom(1, 9, GONE_PID),
  startTime: fc.constantFrom('5', '6', null),
  timeNamespace: fc.constantFrom('time', 'other time', 'none', null),
  userNamespace: fc.constantFrom('users', 'other users', 'none', null),
  uid: fc.constantFrom(0, OWN_UID, 2000, -1),
  user: fc.constantFrom('ann', 'eve', null),
  label: fc.string({ maxLength: 40 }).map((text) => text.replace(/\p{Cc}/gu, ' ')),
  refreshRateMs: fc.integer({ min: 1, max: 1000 }),
  timeoutIntervalMs: fc.integer({ min: 1, max: 30_000 }),
  beat: fc.nat(),
  state: fc.constantFrom('alive', 'ended'),
})

const whole = records.map(encodeRecord)
const hugeNumbers = fc.constantFrom(-1, 0, 0.5, 2 ** 31 + 1, 2 ** 53, 1e308, null, '', '1', true, [], {})
/** A record of which one field, or the version, is something else. */
const mutated = fc
  .tuple(
    records,
    fc.constantFrom('mountlock', 'check', 'id', 'host', 'pid', 'beat', 'state', 'uid', 'timeoutIntervalMs', 'bootId', 'more'),
  )
  .chain(([record, field]) => {
    return fc.oneof(hugeNumbers, fc.string({ maxLength: 3000 }), fc.jsonValue()).map((value) => {
      const complete = { mountlock: 1, ...record, check: `${record.beat} ${record.state}` }
      return JSON.stringify({ ...complete, [field]: value })
    })
  })
const truncated = fc.tuple(whole, fc.nat({ max: 2600 })).map(([text, length]) => text.slice(0, length))
const torn = fc.tuple(whole, whole, fc.nat({ max: 700 })).map(([a, b, at]) => a.slice(0, at) + b.slice(at))
const huge = fc.tuple(whole, fc.nat({ max: 9000 })).map(([text, more]) => text + ' '.repeat(more) + 'x'.repeat(more % 2))
const binary = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString())
const contents = fc.oneof(
  { arbitrary: mutated, weight: 4 },
  { arbitrary: whole, weight: 2 },
  { arbitrary: truncated, weight: 2 },
  { arbitrary: torn, weight: 2 },
  huge,
  binary,
  fc.constantFrom('', '{}', 'null', '[]', '"', '{"mountlock":1}', '{"mountlock":2,"state":"ended"}'),
)

/** May the owner of these contents be taken for dead at first sight? */
function mayBeDead(text: string): boolean {
  let value: Record<string, unknown>
  try {
    value = JSON.parse(Buffer.from(text).subarray(0, 4096).toString())
  } catch {
    return false
  }
  if (value === null || typeof value !== 'object' || value.mountlock !== 1) return false
  if (typeof value.beat !== 'number' || typeof value.state !== 'string' || value.check !== `${value.beat} ${value.state}`)
    return false
  if (value.state === 'ended') return true
  return value.state === 'alive' && value.bootId === 'boot' && value.pidNamespace === 'pids' && value.pid === GONE_PID
}

function worldWith(name: string, text: string): World {
  const world = newWorld()
  world.processes = (pid) => (pid === GONE_PID ? 'gone' : 'alive')
  world.nodes.set(`/dir/${name}`, { type: 'file', text, uid: 2000, modifiedMs: 10 })
  return world
}

function siteOf(claim: Claim, coherent = true): Site {
  const surroundings = { coherent, listsAtOnce: coherent, extraSilenceMs: 0, me: ME, observations: new Map() }
  return { path: '/dir/lock', directory: '/dir', dev: 1, mode: 0o755, claim, memory: newMemory(), surroundings }
}

/** A lock that is held at generation 18, in the words of each claim, by the owner of the session file. */
function hold(world: World, claim: Claim, name: string): string {
  world.nodes.set('/dir/lock', { type: 'directory', uid: 0, modifiedMs: 1 })
  world.nodes.set(`/dir/lock/${markerName(claim.kind)}`, { type: 'file', text: '', uid: 0, modifiedMs: 1 })
  const entry = claim.entry(18n, { name } as Session)
  const file = world.nodes.get(`/dir/${name}`)
  if (file === undefined) throw new Error('The session file comes first')
  const node = claim === symlinkClaim ? { type: 'symlink' as const, target: `../${name}`, uid: 2000 } : file
  world.nodes.set(`/dir/lock/${entry}`, node)
  return `/dir/lock/${entry}`
}

function ownSession(world: World): Session {
  const created = run(world, createSession('/dir', ME, TERMS))
  if (!created.ok) throw new Error(created.code)
  return created.value
}

const CLAIMS = [hardLinkClaim, symlinkClaim, renameClaim]
const anyClaim = fc.constantFrom(...CLAIMS)

describe('whatever stands in a session file', () => {
  test('it is decoded to a whole record or to nothing, and what we write is what we read', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(contents, (text) => {
        const record = decodeRecord(text)
        if (record !== null) expect(decodeRecord(encodeRecord(record))).toEqual(record)
      }),
      { numRuns: RUNS },
    )
  })

  test('its owner is taken for dead only by his own word or because his process here is gone', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(contents, (text) => {
        const world = worldWith(NAME, text)
        const { surroundings } = siteOf(hardLinkClaim)
        const verdict = run(world, judge({ directory: '/dir', path: `/dir/${NAME}`, sessionFile: null }, surroundings))
        if (verdict.state !== 'alive') expect(mayBeDead(text), text).toBe(true)
      }),
      { numRuns: RUNS },
    )
  })

  test(
    'a lock that its owner holds is acquired only if he may be dead, and otherwise nothing is touched',
    {
      timeout: 300_000,
    },
    () => {
      fc.assert(
        fc.property(contents, anyClaim, fc.boolean(), (text, claim, coherent) => {
          const world = worldWith(NAME, text)
          const entry = hold(world, claim, NAME)
          const session = ownSession(world)
          const before = [...world.nodes.keys()]
          const outcome = run(world, attempt(siteOf(claim, coherent), session, false))
          if (mayBeDead(text)) return // then it may be had or not: another proof may be lacking
          expect(outcome.kind).toBe('busy')
          expect([...world.nodes.keys()]).toEqual(before)
          expect(world.nodes.get(claim === hardLinkClaim ? entry : `/dir/${NAME}`)).toMatchObject({ text })
        }),
        { numRuns: RUNS },
      )
    },
  )

  test(
    'it is inspected without an error, and called stale or free only if its owner may be dead, or says that it ended',
    { timeout: 300_000 },
    () => {
      fc.assert(
        fc.property(contents, anyClaim, (text, claim) => {
          const world = worldWith(NAME, text)
          hold(world, claim, NAME)
          const outcome = run(world, inspect(siteOf(claim)))
          if (outcome.kind !== 'seen') throw new Error(`Expected it to be seen, got ${outcome.kind}`)
          const { state } = outcome.inspection
          if (state === 'stale' || state === 'free') expect(mayBeDead(text), text).toBe(true)
          else expect(['held', 'unknown']).toContain(state)
        }),
        { numRuns: RUNS },
      )
    },
  )

  test('the patrol passes by without an error, and marks or removes only what may be dead', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(contents, fc.constantFrom(NAME, NAME_HERE), (text, name) => {
        const world = worldWith(name, text)
        run(world, patrol('/dir', [], siteOf(hardLinkClaim).surroundings, new Map()))
        const node = world.nodes.get(`/dir/${name}`)
        if (node === undefined || node.type !== 'file' || node.text !== text) expect(mayBeDead(text), text).toBe(true)
      }),
      { numRuns: RUNS },
    )
  })
})

test('an owner that goes on beating is never convicted, whatever else its record says', { timeout: 300_000 }, () => {
  fc.assert(
    fc.property(records, fc.array(fc.nat({ max: 40_000 }), { minLength: 2, maxLength: 6 }), (first, pausesMs) => {
      const record: SessionRecord = { ...first, state: 'alive', pid: 9 }
      const world = worldWith(NAME, '')
      const { surroundings } = siteOf(hardLinkClaim)
      for (const pauseMs of pausesMs) {
        record.beat++
        world.nodes.set(`/dir/${NAME}`, { type: 'file', text: encodeRecord(record), uid: 2000, modifiedMs: world.ownMs })
        world.ownMs += pauseMs
        const verdict = run(world, judge({ directory: '/dir', path: `/dir/${NAME}`, sessionFile: null }, surroundings))
        expect(verdict.state).toBe('alive')
      }
    }),
    { numRuns: 10_000 },
  )
})

describe('the session file of a process of our own user that is not readable for us', () => {
  const elevenMinutes = 11 * 60_000

  /** Two patrols, so far apart that what no process has touched meanwhile counts as left over. */
  function patrolTwice(text: string): World {
    const world = worldWith(NAME, '')
    world.nodes.set(`/dir/${NAME}`, { type: 'file', text, uid: OWN_UID, modifiedMs: 10 })
    const { surroundings } = siteOf(hardLinkClaim)
    const leftovers = new Map()
    run(world, patrol('/dir', [], surroundings, leftovers))
    world.ownMs += elevenMinutes
    run(world, patrol('/dir', [], surroundings, leftovers))
    return world
  }

  test('is never removed when it is of another version: it may beat once an hour', () => {
    const record = {
      mountlock: 2,
      id: '0123456789abcdef',
      refreshRateMs: 3_600_000,
      timeoutIntervalMs: 7_200_000,
      state: 'alive',
    }
    expect(patrolTwice(JSON.stringify(record)).nodes.has(`/dir/${NAME}`)).toBe(true)
  })

  test('is removed when it was never finished', () => {
    expect(patrolTwice('').nodes.has(`/dir/${NAME}`)).toBe(false)
  })
})
