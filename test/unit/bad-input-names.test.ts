/**
 * What names may stand in a lock directory, beside it, and behind a symlink. Goal: a name that is not exactly ours is left
 * alone and reported, never counted, renamed or removed; and no name leads the protocol out of its two directories. Method:
 * names that are nearly ours, on a file system in memory; what they mean is decided by an oracle that shares no code with it.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attempt } from '../../src/protocol/acquire.js'
import { hardLinkClaim } from '../../src/protocol/claim-hard-link.js'
import { renameClaim } from '../../src/protocol/claim-rename.js'
import { symlinkClaim } from '../../src/protocol/claim-symlink.js'
import { inspect } from '../../src/protocol/inspect.js'
import { judge } from '../../src/protocol/judge.js'
import { parseListing } from '../../src/protocol/names.js'
import { patrol } from '../../src/protocol/patrol.js'
import { createSession, type Session } from '../../src/protocol/session.js'
import { cleanUp } from '../../src/protocol/settle.js'
import { type Claim, newMemory, type Site } from '../../src/protocol/site.js'
import { ME, newWorld, OWN_UID, run, type World } from './bad-input-memory.js'

const RUNS = 100_000
const TERMS = { label: '', refreshRateMs: 1000, timeoutIntervalMs: 3000 }
const SESSION = '.mountlock-41c29-elsewhere-9-0123456789abcdef'
const OWNER = 'elsewhere-9-0123456789abcdef'

const generations = fc.oneof(
  fc.bigInt({ min: 0n, max: 30n }),
  fc.constantFrom(10n ** 18n, 10n ** 19n, 10n ** 20n - 2n, 10n ** 20n - 1n, 10n ** 20n, 2n ** 64n, 10n ** 30n),
)
const endings = fc.constantFrom(
  '',
  '.free',
  '.FREE',
  '.free ',
  '.free.free',
  '.',
  '.tmp',
  '~',
  '\n',
  `.${OWNER}`,
  `.${OWNER}0`,
  '.a-b-c',
  '.free\0',
)
const beginnings = fc.constantFrom('', '', '', '0', '-', '+', ' ', '.', '0x', '\u0663')
const ours = fc.constantFrom('.links', '.renames', '.look-0123456789abcdef', '0', '1', '18', '18.free')
const nearlyOurs = fc.tuple(beginnings, generations, endings).map(([start, generation, end]) => `${start}${generation}${end}`)
const oddities = fc.constantFrom(
  '.links ',
  '.Links',
  '.links.',
  '.look-',
  '.look-0123456789ABCDEF',
  '.nfs000000000000',
  '1e3',
  'README',
  '.snapshot',
  '\uFFFD',
  '-rf',
  '١٨',
)
const name = fc
  .oneof({ arbitrary: nearlyOurs, weight: 4 }, ours, oddities, fc.string({ unit: 'binary', minLength: 1, maxLength: 130 }))
  .filter((text) => text !== '' && text !== '.' && text !== '..' && !text.includes('/') && !text.includes('\0'))
const listings = fc.oneof(
  { arbitrary: fc.uniqueArray(name, { maxLength: 8 }), weight: 9 },
  fc.uniqueArray(name, { minLength: 30, maxLength: 40 }),
)

/** The generation in a name of ours and how it ends, `null` for any other name. Digit by digit, without an expression. */
function entryOf(text: string): { generation: bigint; owner: string } | null {
  let digits = 0
  while (digits < text.length && '0123456789'.includes(text[digits] as string)) digits++
  if (digits === 0 || digits > 20 || (digits > 1 && text.startsWith('0'))) return null
  const rest = text.slice(digits)
  if (rest !== '' && rest !== '.free' && rest !== `.${OWNER}`) return null
  return { generation: BigInt(text.slice(0, digits)), owner: rest.slice(1) }
}

const isMarker = (text: string) => text === '.links' || text === '.renames'
const isLook = (text: string) => text === '.look-0123456789abcdef'
const isOurs = (text: string) => entryOf(text) !== null || isMarker(text) || isLook(text)
const highestOf = (names: readonly string[]) => {
  return names.reduce((highest, text) => {
    const generation = entryOf(text)?.generation ?? -1n
    return generation > highest ? generation : highest
  }, -1n)
}

function siteOf(claim: Claim): Site {
  const surroundings = { coherent: true, listsAtOnce: true, extraSilenceMs: 0, me: ME, observations: new Map() }
  return { path: '/dir/lock', directory: '/dir', dev: 1, mode: 0o755, claim, memory: newMemory(), surroundings }
}

/** A lock directory with these names; a file's text is its name, so that it can be told where it has gone. */
function worldWith(names: readonly string[], place = '/dir/lock'): World {
  const world = newWorld()
  world.nodes.set(place, { type: 'directory', uid: 0, modifiedMs: 1 })
  for (const text of names) world.nodes.set(`${place}/${text}`, { type: 'file', text, uid: 2000, modifiedMs: 1 })
  // Of an owner that cannot be read, and therefore lives.
  world.nodes.set(`/dir/${SESSION}`, { type: 'file', text: '?', uid: 2000, modifiedMs: 1 })
  return world
}

function ownSession(world: World): Session {
  const created = run(world, createSession('/dir', ME, TERMS))
  if (!created.ok) throw new Error(created.code)
  return created.value
}

function expectLeftAlone(world: World, names: readonly string[], place = '/dir/lock'): void {
  const touched = names.filter((text) => {
    const node = world.nodes.get(`${place}/${text}`)
    return node?.type !== 'file' || node.text !== text || node.modifiedMs !== 1
  })
  expect(touched).toEqual([])
}

describe('whatever names a lock directory has', () => {
  test(
    'each is either one of ours or reported as unknown, and only what is ours and below the highest may go',
    {
      timeout: 300_000,
    },
    () => {
      fc.assert(
        fc.property(listings, (names) => {
          const { highest, free, below, looks, unknown, crowded } = parseListing(names)
          expect(unknown).toEqual(names.filter((text) => !isOurs(text)))
          expect(highest ?? -1n).toBe(highestOf(names))
          if (highest !== null) expect(free).toBe(names.includes(`${highest}.free`))
          for (const text of below) expect(entryOf(text)?.generation).toBeLessThan(highest as bigint)
          expect(looks.every(isLook)).toBe(true)
          const order = below.map((text) => entryOf(text)?.generation as bigint)
          expect(order).toEqual(order.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
          if (names.length > 32) expect(crowded).toBe(true)
        }),
        { numRuns: RUNS },
      )
    },
  )

  test('an attempt leaves all names alone that are not ours, and adds none that is not', { timeout: 300_000 }, () => {
    const anyClaim = fc.constantFrom(hardLinkClaim, symlinkClaim, renameClaim)
    fc.assert(
      fc.property(listings, anyClaim, (names, claim) => {
        const world = worldWith(names)
        const session = ownSession(world)
        const outcome = run(world, attempt(siteOf(claim), session, false))
        if (outcome.kind === 'acquired') run(world, cleanUp(siteOf(claim), outcome.below))
        expectLeftAlone(
          world,
          names.filter((text) => !isOurs(text) || isMarker(text)),
        )
        const present = [...world.nodes.keys()]
          .filter((path) => path.startsWith('/dir/lock/'))
          .map((path) => path.slice('/dir/lock/'.length))
        for (const text of present)
          expect(names.includes(text) || entryOf(text) !== null || text.includes('-77-'), text).toBe(true)
        if (outcome.kind !== 'acquired') return
        // Without a record that says that its holder ended, only what was released may be acquired.
        const highest = highestOf(names)
        expect(names).toContain(`${highest}.free`)
        expect(outcome.generation).toBe(highest + 1n)
        expect(names.includes(claim.kind === 'links' ? '.links' : '.renames')).toBe(true)
      }),
      { numRuns: RUNS },
    )
  })

  test('inspect reports those that are not ours, and changes nothing', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(listings, (names) => {
        const world = worldWith(names)
        const outcome = run(world, inspect(siteOf(hardLinkClaim)))
        expectLeftAlone(world, names)
        if (outcome.kind === 'seen') expect(outcome.inspection.unknownEntries).toEqual(names.filter((text) => !isOurs(text)))
        else expect(outcome.kind).toBe('foreign')
      }),
      { numRuns: RUNS },
    )
  })
})

const BESIDE = fc.oneof(
  fc.constantFrom(
    '.mountlock-new-0123456789abcdef',
    '.mountlock-new-0123456789abcdeF',
    '.mountlock-41c29-a-1-0123456789abcde',
    '.mountlock-41c29--1-0123456789abcdef',
    '.mountlock',
    '.mountlock-41c29-',
    `${SESSION}~`,
    SESSION,
  ),
  name,
)

test('names beside the locks that are not ours are left alone by the patrol, however old', { timeout: 300_000 }, () => {
  fc.assert(
    fc.property(fc.uniqueArray(BESIDE, { maxLength: 12 }), (names) => {
      const world = newWorld()
      for (const text of names) world.nodes.set(`/dir/${text}`, { type: 'file', text, uid: OWN_UID, modifiedMs: 1 })
      const { surroundings } = siteOf(hardLinkClaim)
      const leftovers = new Map()
      run(world, patrol('/dir', [], surroundings, leftovers))
      world.ownMs += 3_600_000
      run(world, patrol('/dir', [], surroundings, leftovers))
      const mayGo = new Set(['.mountlock-new-0123456789abcdef', '.look-0123456789abcdef', SESSION])
      expectLeftAlone(
        world,
        names.filter((text) => !mayGo.has(text)),
        '/dir',
      )
    }),
    { numRuns: RUNS },
  )
})

const targets = fc.oneof(
  fc.constantFrom(
    `../${SESSION}`,
    `../../${SESSION}`,
    `.././${SESSION}`,
    `..//${SESSION}`,
    `/dir/${SESSION}`,
    SESSION,
    '../',
    '..',
    '/etc/passwd',
    `../x/../${SESSION}`,
  ),
  fc
    .tuple(fc.constantFrom('../', '..', '/', './', ''), fc.string({ unit: 'binary', maxLength: 80 }))
    .map(([start, rest]) => start + rest),
)

test(
  'a symlink leads to a session file beside the lock or nowhere, and one that leads elsewhere means alive',
  {
    timeout: 300_000,
  },
  () => {
    fc.assert(
      fc.property(targets, (target) => {
        const world = worldWith(['.links'])
        world.nodes.delete(`/dir/${SESSION}`)
        world.nodes.set('/dir/lock/18', { type: 'symlink', target, uid: 2000 })
        const holder = { directory: '/dir', path: '/dir/lock/18', sessionFile: null }
        const verdict = run(world, judge(holder, siteOf(symlinkClaim).surroundings))
        expect(verdict.state).toBe(target === `../${SESSION}` ? 'dead' : 'alive')
        const read = world.asked.flatMap((operation) => (operation.op === 'read' ? [operation.path] : []))
        for (const path of read) expect(['/dir/lock/18', `/dir/${SESSION}`]).toContain(path)
      }),
      { numRuns: RUNS },
    )
  },
)
