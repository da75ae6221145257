/**
 * Goal: tickets order waiters, and decide nothing. Method: the one function that orders them, for any names; and pieces of the
 * protocol, each run twice on a lock in memory: with tickets of live processes, of dead ones and of none, and without.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { attempt } from '../../src/protocol/acquire.js'
import { hardLinkClaim } from '../../src/protocol/claim-hard-link.js'
import { renameClaim } from '../../src/protocol/claim-rename.js'
import { symlinkClaim } from '../../src/protocol/claim-symlink.js'
import { inspect } from '../../src/protocol/inspect.js'
import { breakHolder, prune } from '../../src/protocol/maintain.js'
import { ticketName } from '../../src/protocol/names.js'
import type { Operation, Protocol } from '../../src/protocol/operations.js'
import { createSession, type Session } from '../../src/protocol/session.js'
import { freshListing, release, settle } from '../../src/protocol/settle.js'
import { type Claim, newMemory, type Site } from '../../src/protocol/site.js'
import { queueOf, TURNS_MAX, turnMsOf } from '../../src/waiting/queue.js'
import { listTickets, makeTicket, removeTickets } from '../../src/waiting/tickets.js'
import { ME, newWorld, OWN_UID, run, type World } from './bad-input-memory.js'

const sessionOf = (pid: number) => `.mountlock-41c29-host-${pid}-${pid.toString(16).padStart(16, '0')}`
const NONE: ReadonlySet<string> = new Set()

test('the oldest ticket comes first: by generation, and by name among those of one', () => {
  const listing = [ticketName(10n, sessionOf(1)), ticketName(9n, sessionOf(3)), ticketName(9n, sessionOf(2)), 'README', '9.free']
  expect(queueOf(listing, NONE).map(({ pid }) => pid)).toEqual([2, 3, 1])
})

test('a free lock is left to the first for a grace, then to the next; the dead have no turn, and a session has one', () => {
  const listing = [1, 2, 3].map((pid) => ticketName(BigInt(pid), sessionOf(pid)))
  const again = ticketName(7n, sessionOf(2))
  const line = queueOf([...listing, again], new Set([sessionOf(1)]))
  const mayTry = (freeForMs: number) => line.filter((_, before) => freeForMs >= turnMsOf(before, 5)).map(({ pid }) => pid)
  expect(mayTry(0)).toEqual([2])
  expect(mayTry(4.9)).toEqual([2])
  expect(mayTry(5)).toEqual([2, 3])
})

test('however many tickets there are, forged ones too, no waiter is delayed by more than a bounded number of graces', () => {
  const names = fc.oneof(
    fc
      .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n - 2n }), fc.nat(1e6))
      .map(([generation, pid]) => ticketName(generation, sessionOf(pid))),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(names, { minLength: 50, maxLength: 1500, size: 'max' }), (listing) => {
      for (const before of queueOf(listing, NONE).keys()) expect(turnMsOf(before, 5)).toBeLessThanOrEqual(TURNS_MAX * 5)
    }),
    { numRuns: 20 },
  )
})

const TERMS = { label: '', refreshRateMs: 1000, timeoutIntervalMs: 3000 }

function siteOf(claim: Claim, coherent: boolean): Site {
  const surroundings = { coherent, listsAtOnce: coherent, extraSilenceMs: 0, me: ME, observations: new Map() }
  return { path: '/dir/lock', directory: '/dir', dev: 1, mode: 0o755, claim, memory: newMemory(), surroundings }
}

/** What a lock directory may hold at one moment, with the record of a living holder behind what is held. */
function worldWith(names: readonly string[], tickets: readonly string[] | null): { world: World; session: Session } {
  const world = newWorld()
  world.nodes.set('/dir/lock', { type: 'directory', uid: OWN_UID, modifiedMs: 1 })
  const created = run(world, createSession('/dir', { ...ME, pid: 78 }, TERMS))
  if (!created.ok) throw new Error(created.code)
  const { text } = world.nodes.get(created.value.path) as { text: string }
  for (const name of names) world.nodes.set(`/dir/lock/${name}`, { type: 'file', text, uid: OWN_UID, modifiedMs: 1 })
  if (tickets !== null) world.nodes.set('/dir/lock/.wait', { type: 'directory', uid: OWN_UID, modifiedMs: 1 })
  for (const name of tickets ?? []) world.nodes.set(`/dir/lock/.wait/${name}`, { type: 'file', text: '', uid: 0, modifiedMs: 1 })
  const own = run(world, createSession('/dir', ME, TERMS))
  if (!own.ok) throw new Error(own.code)
  world.asked.length = 0
  return { world, session: own.value }
}

const tickets = fc.array(
  fc
    .tuple(fc.bigInt({ min: 0n, max: 20n }), fc.integer({ min: 77, max: 80 }))
    .map(([generation, pid]) => ticketName(generation, sessionOf(pid))),
)

const entries = fc.uniqueArray(
  fc.constantFrom(
    '.links',
    '.renames',
    '16',
    '17',
    '17.free',
    '18',
    '18.free',
    '.look-0123456789abcdef',
    'README',
    '.dissolving-links-0123456789abcdef',
  ),
  { maxLength: 8 },
)

const plain = (value: unknown) =>
  JSON.stringify(value, (key, inner) =>
    key === 'isWaitedFor' ? undefined : typeof inner === 'bigint' ? String(inner) : inner,
  ).replaceAll(/f{10}[0-9a-f]{6}/g, 'RANDOM')
const asked = (operations: readonly Operation[]) => operations.map((operation) => plain(operation))

test('every decision of the protocol is the same with any set of tickets and with none', () => {
  const crowd = fc
    .integer({ min: 28, max: 34 })
    .map((many) => ['.links', ...Array.from({ length: many }, (_, index) => `${index}`)])
  const steps = {
    attempt: (site: Site, session: Session) => attempt(site, session, false),
    'an attempt past the cache': (site: Site, session: Session) => attempt(site, session, true),
    release: (site: Site, session: Session) => release(site, { generation: 18n, sessionId: session.record.id }, '18'),
    settle: (site: Site, session: Session) => settle(site, { generation: 18n, sessionId: session.record.id }),
    break: (site: Site, session: Session) => breakHolder(site, session, 18n),
    listing: (site: Site) => freshListing(site),
    inspect: (site: Site) => inspect(site),
  } as const
  fc.assert(
    fc.property(
      fc.oneof({ arbitrary: entries, weight: 4 }, crowd),
      tickets,
      fc.constantFrom(hardLinkClaim, symlinkClaim, renameClaim),
      fc.constantFrom(...(Object.keys(steps) as (keyof typeof steps)[])),
      fc.boolean(),
      (names, some, claim, step, coherent) => {
        const [without, withSome] = [null, some].map((these) => {
          const { world, session } = worldWith(names, these)
          const outcome = run<unknown>(world, steps[step](siteOf(claim, coherent), session))
          return { outcome: plain(outcome), asked: asked(world.asked) }
        })
        expect(withSome).toEqual(without)
      },
    ),
    { numRuns: 3000 },
  )
})

test('a lock is taken away, or is not, with any set of tickets as with none', () => {
  fc.assert(
    fc.property(entries, tickets, fc.constantFrom(hardLinkClaim, renameClaim), fc.boolean(), (names, some, claim, coherent) => {
      const [without, withSome] = [null, some].map((these) => run(worldWith(names, these).world, prune(siteOf(claim, coherent))))
      expect(plain(withSome)).toEqual(plain(without))
    }),
    { numRuns: 1000 },
  )
})

test('the first ticket makes their directory, and the last one takes it along', () => {
  const { world } = worldWith(['.links', '18'], null)
  const site = siteOf(hardLinkClaim, true)
  const [one, other] = [ticketName(18n, sessionOf(1)), ticketName(18n, sessionOf(2))]
  expect(run(world, makeTicket(site, one))).toBe(true)
  expect(run(world, makeTicket(site, other))).toBe(true)
  expect(run(world, makeTicket(site, other))).toBe(true)
  expect(run(world, listTickets(site)).tickets.toSorted()).toEqual([one, other])
  run(world, removeTickets(site, [one]))
  expect(run(world, listTickets(site))).toEqual({ tickets: [other], isThere: true, isCrowded: false })
  run(world, removeTickets(site, [other]))
  expect(world.nodes.has('/dir/lock/.wait')).toBe(false)
})

test.each([1, 5])('a ticket is made where others that leave remove its directory %i times before it is in there', (times) => {
  const { world } = worldWith(['.links', '18'], null)
  const site = siteOf(hardLinkClaim, false)
  const making = makeTicket(site, ticketName(18n, sessionOf(1)))
  let removed = 0
  function* one(operation: Operation): Protocol<unknown> {
    return yield operation
  }
  let step = making.next()
  while (!step.done) {
    const answer = run(world, one(step.value))
    if (step.value.op === 'mkdir' && removed++ < times) world.nodes.delete('/dir/lock/.wait')
    step = making.next(answer)
  }
  expect(step.value).toBe(true)
  expect(removed).toBe(times + 1)
  expect(run(world, listTickets(site)).tickets).toEqual([ticketName(18n, sessionOf(1))])
})

test('of what a process released itself, and what it has seen to be free since, it claims the later one first', () => {
  for (const [released, seenFree] of [
    [17n, 20n],
    [20n, 17n],
  ] as const) {
    const { world, session } = worldWith(['.renames', '20.free'], null)
    const site = siteOf(renameClaim, true)
    Object.assign(site.memory, { known: released, floor: 17n, isMarked: true, isDirectory: true })
    expect(run(world, attempt(site, session, false, seenFree))).toMatchObject({ kind: 'acquired', generation: 21n })
    expect(world.asked.map(({ op }) => op).filter((op) => op === 'rename' || op === 'list')).toEqual(['rename'])
  }
})

test.each<readonly string[]>([[], ['18'], ['README']])('no ticket is made in what may be another program’s: %j', (...names) => {
  const { world } = worldWith(names, null)
  const before = [...world.nodes.keys()]
  expect(run(world, makeTicket(siteOf(hardLinkClaim, true), ticketName(18n, sessionOf(1))))).toBe(false)
  expect([...world.nodes.keys()]).toEqual(before)
})

test('what an NFS client keeps of a ticket that was removed while it was read keeps no lock from being pruned', () => {
  const { world } = worldWith(['.links', '18.free'], ['.nfs0000000000000184', ticketName(18n, sessionOf(1))])
  expect(run(world, prune(siteOf(hardLinkClaim, true)))).toEqual({ kind: 'pruned' })
})

test('a generation that was seen to be free is a hint: it saves the listing, and stale, a look follows or the claim is given back', () => {
  fc.assert(
    fc.property(
      // What is there by now, when 17 was seen to be free.
      fc.constantFrom<readonly string[]>(
        ['.links', '17.free'],
        ['.links', '18'],
        ['.links', '17.free', '18'],
        ['.links', '18.free'],
        ['.links', '20'],
      ),
      fc.constantFrom(hardLinkClaim, symlinkClaim),
      (names, claim) => {
        const { world, session } = worldWith(names, null)
        const site = siteOf(claim, true)
        const outcome = run(world, attempt(site, session, false, 17n))
        const highest = Math.max(...names.map((name) => Number.parseInt(name, 10)).filter((number) => number > 0))
        const isFree = names.includes(`${highest}.free`)
        if (!isFree) expect(outcome.kind).toBe('busy')
        else expect(outcome).toMatchObject({ kind: 'acquired', generation: BigInt(highest + 1) })
        if (highest === 17) expect(world.asked.filter(({ op }) => op === 'list')).toHaveLength(1)
        // Nothing else is held in its name.
        const held = [...world.nodes.keys()].filter((path) => path === '/dir/lock/18' && !names.includes('18'))
        expect(held).toHaveLength(highest === 17 ? 1 : 0)
      },
    ),
    { numRuns: 60 },
  )
})
