/** Names in a lock directory: what is written is read again, and nothing else is taken for ours. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  freeName,
  GENERATION_MAX,
  heldName,
  isMomentaryName,
  lookName,
  newLockName,
  ownedName,
  parseListing,
  parseSessionName,
  sessionName,
  sessionOfTarget,
} from '../../build/protocol/names.js'

const generations = fc.bigInt({ min: 0n, max: GENERATION_MAX })
const ids = fc.stringMatching(/^[0-9a-f]{16}$/)
const pids = fc.integer({ min: 1, max: 2 ** 31 })
const hosts = fc.string({ unit: 'binary', maxLength: 300 })

describe('session files', () => {
  test('a name is read as it was written, whatever the host is called', () => {
    fc.assert(
      fc.property(hosts, pids, ids, (host, pid, id) => {
        const name = sessionName(host, pid, id)
        const parts = parseSessionName(name)
        expect(parts).toMatchObject({ pid, id })
        if (/^[A-Za-z0-9._-]{1,40}$/.test(host)) expect(parts?.host).toBe(host)
      }),
    )
  })

  test('a name is one harmless path component of at most 100 characters', () => {
    fc.assert(
      fc.property(hosts, pids, ids, (host, pid, id) => {
        expect(sessionName(host, pid, id)).toMatch(/^\.mountlock-41c29-[A-Za-z0-9._-]{1,83}$/)
      }),
    )
  })

  test.each([
    '',
    '.mountlock',
    '.mountlock-41c29-',
    '.mountlock-41c29-h-1-0123456789abcde',
    '.mountlock-41c29-h-1-0123456789abcdeF',
    'x.mountlock-41c29-h-1-0123456789abcdef',
    '.mountlock-41c29-h-1-0123456789abcdef\n',
  ])('%j is not one', (name) => {
    expect(parseSessionName(name)).toBeNull()
  })

  test('a symlink leads to a session file beside the lock, and nowhere else', () => {
    const name = sessionName('host', 1, '0123456789abcdef')
    expect(sessionOfTarget(`../${name}`)).toBe(name)
    for (const target of [name, `./${name}`, `../../${name}`, `/tmp/${name}`, `../${name}/..`, '../../etc/passwd', '..', ''])
      expect(sessionOfTarget(target)).toBeNull()
  })
})

describe('listings of a lock directory', () => {
  const marker = fc.constantFrom('.links', '.renames')
  const entries = fc.uniqueArray(fc.tuple(generations, fc.constantFrom('held', 'free', 'owned')), { maxLength: 20 })
  const owner = sessionName('host', 7, '0123456789abcdef')
  const nameOf = ([generation, state]: [bigint, string]) =>
    state === 'held' ? heldName(generation) : state === 'free' ? freeName(generation) : ownedName(generation, owner)

  test('show the highest generation, in whatever order the names come', () => {
    fc.assert(
      fc.property(entries, marker, fc.infiniteStream(fc.nat()), (list, mark, order) => {
        const names = [...new Set([mark, ...list.map(nameOf)])]
        const shuffled = names.map((name) => ({ name, key: order.next().value as number })).sort((a, b) => a.key - b.key)
        const listing = parseListing(shuffled.map(({ name }) => name))
        const highest = list.reduce<bigint | null>((high, [n]) => (high === null || n > high ? n : high), null)
        expect(listing.highest).toBe(highest)
        expect(listing.kind).toBe(mark === '.links' ? 'links' : 'renames')
        // Where a generation is there both held and free, free wins.
        expect(listing.free).toBe(list.some(([n, state]) => n === highest && state === 'free'))
        expect(listing.unknown).toEqual([])
        expect(listing.crowded).toBe(names.length > 32)
      }),
    )
  })

  test('name what may be removed in ascending order, and never the highest generation', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const { below, highest } = parseListing(['.links', ...new Set(list.map(nameOf))])
        const numbers = below.map((name) => BigInt(name.split('.')[0] as string))
        expect(numbers).toEqual([...numbers].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
        expect(numbers).not.toContain(highest)
      }),
    )
  })

  test('say whose the highest generation is, where its name says so', () => {
    const listing = parseListing(['.renames', ownedName(18n, owner)])
    expect(listing).toMatchObject({ highest: 18n, free: false, entry: ownedName(18n, owner), sessionFile: owner })
    expect(parseListing(['.renames', '18.free'])).toMatchObject({ free: true, sessionFile: null })
  })

  test('compare numbers, not names', () => {
    expect(parseListing(['.links', '9', '10.free', '100']).highest).toBe(100n)
  })

  test('take every other name for another program’s', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        fc.pre(!/^(\.links|\.renames|\.look-[0-9a-f]{16}|\d.*)$/s.test(name))
        expect(parseListing([name])).toMatchObject({ kind: null, highest: null, below: [], unknown: [name] })
      }),
    )
    const foreign = [
      '017',
      '-1',
      '1.',
      '1.frei',
      '1.free.',
      ' 1',
      '1 ',
      '1\n',
      '١',
      '0x1',
      '1e3',
      '123456789012345678901',
      '.look-xyz',
      '.linksx',
    ]
    expect(parseListing(foreign)).toMatchObject({ kind: null, highest: null, below: [], looks: [], unknown: foreign })
  })

  test('are inconclusive with more than 32 names, or with a name that is longer than ours can be', () => {
    const names = Array.from({ length: 32 }, (_, i) => String(i))
    expect(parseListing(names).crowded).toBe(false)
    expect(parseListing([...names, '.links']).crowded).toBe(true)
    expect(parseListing(['.links', 'x'.repeat(101)]).crowded).toBe(true)
  })
})

test('what is there for a moment only is told from what stays', () => {
  const random = '0123456789abcdef'
  expect([lookName(random), newLockName(random)].map(isMomentaryName)).toEqual([true, true])
  expect(parseListing([lookName(random)])).toMatchObject({ looks: [lookName(random)], unknown: [] })
  for (const name of ['.look-', '.mountlock-new-', sessionName('host', 1, random), '18', '18.free', '.links'])
    expect(isMomentaryName(name)).toBe(false)
})

test('the directory of the waiters’ tickets is put aside: it makes no difference to what a listing says', () => {
  const name = fc.oneof(
    fc.constantFrom('.links', '17.free', '18', '.look-0123456789abcdef', 'README'),
    fc.string({ maxLength: 110 }),
  )
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 40 }), fc.nat(), (names, at) => {
      fc.pre(!names.includes('.wait'))
      const { isWaitedFor, ...seen } = parseListing(names.toSpliced(at % (names.length + 1), 0, '.wait'))
      expect(isWaitedFor).toBe(true)
      expect({ ...seen, isWaitedFor: false }).toEqual(parseListing(names))
    }),
  )
})
