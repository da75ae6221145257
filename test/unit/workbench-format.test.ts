/** What lies on disk is read as Workbench means it, and no document of a user counts as a lock of theirs. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ageMs,
  asideName,
  CLAIMS_DIRECTORY,
  claimName,
  claimsDraftName,
  type Found,
  generationOfTarget,
  heldText,
  type LinkLock,
  ownerName,
  parseTheirName,
  RELEASED_TEXT,
  type Seen,
  stateOf,
  SWEPT_PREFIX,
  TEXT_BYTES_MAX,
  TIMEOUT_INTERVAL_MS,
  whatLies,
} from '../../src/workbench/format.js'

const UUID = '0123456789abcdef0123456789abcdef'
const PROXY = '.rstudio-lock-41c29-node-7.example.org-4711-7f3c5a2b9740'
const MODIFIED_MS = 1_790_000_000_000

const bytes = (text: string) => new TextEncoder().encode(text)
const file = (text: string, target: string | null = null): Seen => ({
  kind: 'file',
  target,
  text: bytes(text),
  modifiedMs: MODIFIED_MS,
})
const link = (lock: Partial<LinkLock>): Found => ({
  kind: 'link',
  generation: '2026',
  target: null,
  pid: null,
  isReleased: false,
  modifiedMs: MODIFIED_MS,
  ...lock,
})

describe('what lies at a public path', () => {
  const owner = `/home/ann/.local/share/rstudio/sources/session-1/${ownerName(UUID)}`
  const proxy = `/home/ann/.local/share/rstudio/sources/session-1/${PROXY}`
  test.each<[string, Seen, Found]>([
    ['nothing', { kind: 'absent' }, { kind: 'nothing' }],
    ['a legacy hard link has its process id without a newline', file('4711'), link({ generation: 'legacy', pid: 4711 })],
    ['one of 2026 has a newline', file('4711\n'), link({ pid: 4711 })],
    ['the highest process id', file('2147483647\n'), link({ pid: 2147483647 })],
    ['-1 was released', file('-1\n'), link({ isReleased: true })],
    ['so was -1 written over three digits, which they trim', file('-1\n\n'), link({ isReleased: true })],
    ['-1 over a longer process id is no release yet', file('-1\n45\n'), link({})],
    ['an empty file is an advisory lock, held or not', file(''), { kind: 'advisory', modifiedMs: MODIFIED_MS }],
    ['a legacy symbolic link', file('4711', proxy), link({ generation: 'legacy', target: proxy, pid: 4711 })],
    ['one of 2026', file('4711\n', owner), link({ target: owner, pid: 4711 })],
    ['the name of the target tells the generation, whatever stands in it', file('x', owner), link({ target: owner })],
    ['also where nothing stands in it', file('', proxy), link({ generation: 'legacy', target: proxy })],
    [
      'a dangling link of theirs was released',
      { kind: 'dangling', target: owner },
      link({ target: owner, isReleased: true, modifiedMs: null }),
    ],
    [
      'a file that cannot be read',
      { kind: 'file', target: null, text: null, modifiedMs: MODIFIED_MS },
      { kind: 'unreadable', target: null, modifiedMs: MODIFIED_MS },
    ],
  ])('%s', (_, seen, found) => {
    expect(whatLies(seen)).toEqual(found)
  })

  test.each<[string, Seen]>([
    ['a directory', { kind: 'directory' }],
    ['a FIFO', { kind: 'special' }],
    ['a link to a directory', { kind: 'misled', target: owner }],
    ['a link that leads elsewhere', file('4711\n', '/home/ann/notes.txt')],
    ['a link that leads nowhere, and has no name of theirs', { kind: 'dangling', target: '/home/ann/gone' }],
    ['a relative link, which they never make', { kind: 'dangling', target: ownerName(UUID) }],
    ['a document', file('{"id": "4711"}')],
    ['a number that is no process id', file('2147483648\n')],
    ['zero', file('0\n')],
    ['a number with leading zeros', file('04711\n')],
    ['two numbers', file('47\n11\n')],
    ['a number of another program', file('4711\r\n')],
    ['a process id with something behind it', file(`4711\n${' '.repeat(TEXT_BYTES_MAX)}`)],
    ['bytes that are no text', { kind: 'file', target: null, text: Uint8Array.of(0xff, 0x31, 0x0a), modifiedMs: MODIFIED_MS }],
  ])('%s is no lock of theirs', (_, seen) => {
    expect(whatLies(seen).kind).toBe('foreign')
  })

  test('any bytes and any target are judged, and what is no lock is told as foreign, never as released', () => {
    const targets = fc.option(fc.oneof(fc.string(), fc.constantFrom(owner, proxy)))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * TEXT_BYTES_MAX }), targets, (text, target) => {
        const found = whatLies({ kind: 'file', target, text, modifiedMs: MODIFIED_MS })
        const isTheirs = target === null ? /^(-?[0-9]+\n{0,2})?$/.test(Buffer.from(text).toString('latin1')) : true
        if (!isTheirs) expect(['foreign', 'link']).toContain(found.kind)
        if (found.kind === 'link' && found.isReleased) expect(Buffer.from(text).toString('latin1').trim()).toBe('-1')
      }),
    )
  })

  test('whatever process id is written is read again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (pid) => {
        expect(whatLies(file(heldText(pid)))).toEqual(link({ pid }))
        expect(whatLies(file(String(pid)))).toEqual(link({ generation: 'legacy', pid }))
        // Released in place, and seen before it is cut: never taken for another process.
        const torn = RELEASED_TEXT + heldText(pid).slice(RELEASED_TEXT.length)
        expect(whatLies(file(torn))).toMatchObject({ kind: 'link', pid: null })
      }),
    )
  })
})

describe('held, stale or released', () => {
  const lock = (modifiedMs: number | null, isReleased = false) => link({ modifiedMs, isReleased }) as LinkLock
  const at = (serverMs: number) => ({ serverMs, timeoutMs: TIMEOUT_INTERVAL_MS })
  test('seconds are cut, as their programs count: 28.95 s are young where 29.10 s are old already', () => {
    const modified = lock(MODIFIED_MS + 950)
    expect(stateOf(modified, at(MODIFIED_MS + 950 + 28_950))).toBe('held')
    expect(stateOf(modified, at(MODIFIED_MS + 950 + 29_100))).toBe('stale')
  })
  test('a time stamp in the future is young', () => {
    expect(stateOf(lock(MODIFIED_MS + 3_600_000), at(MODIFIED_MS))).toBe('held')
    expect(ageMs(MODIFIED_MS + 3_600_000, MODIFIED_MS)).toBe(0)
  })
  test('what was released is released at any age', () => {
    fc.assert(
      fc.property(fc.option(fc.integer()), fc.integer(), (modifiedMs, serverMs) => {
        expect(stateOf(lock(modifiedMs, true), at(serverMs))).toBe('released')
      }),
    )
  })
  test('it gets old once, and stays so', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(120_000), fc.nat(120_000), (modifiedMs, one, other) => {
        const [sooner, later] = [Math.min(one, other), Math.max(one, other)]
        const states = [sooner, later].map((age) => stateOf(lock(modifiedMs), at(modifiedMs + age)))
        expect(states).not.toEqual(['stale', 'held'])
      }),
    )
  })
})

describe('names beside the public path', () => {
  test('the first claim has the CRC-32 of the base name', () => {
    expect(claimName('lock_file')).toBe('.rstudio-lock-claim-41c29-9A60CCFE')
    expect(claimName('plumless')).toMatch(/-[0-9A-F]{8}$/)
  })
  test('each is recognised for what it is', () => {
    expect(parseTheirName(PROXY)).toEqual({ kind: 'proxy', host: 'node-7.example.org', pid: 4711 })
    expect(parseTheirName(ownerName(UUID))).toEqual({ kind: 'owner', uuid: UUID })
    expect(parseTheirName(claimName('lock_file'))).toEqual({ kind: 'claim' })
    expect(parseTheirName(CLAIMS_DIRECTORY)).toEqual({ kind: 'claims' })
    expect(parseTheirName(asideName(4711, UUID))).toEqual({ kind: 'aside', pid: 4711 })
    expect(parseTheirName(claimsDraftName(4711, UUID))).toEqual({ kind: 'claims-draft', pid: 4711 })
  })
  test('of theirs only proxies are swept by the legacy form, so nothing else may begin like them', () => {
    const others = [ownerName(UUID), claimName('lock_file'), asideName(1, UUID), claimsDraftName(1, UUID), CLAIMS_DIRECTORY]
    expect(others.filter((name) => name.startsWith(SWEPT_PREFIX))).toEqual([])
    expect(PROXY.startsWith(SWEPT_PREFIX)).toBe(true)
  })
  test('no other name is theirs, and any text is a name', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `.rstudio-lock-${text}`),
        ),
        (name) => {
          const found = parseTheirName(name)
          if (!name.includes('41c29')) expect(found).toBeNull()
          expect(generationOfTarget(name)).toBeNull() // not absolute
        },
      ),
    )
  })
})
