/** The session record: what is written is read again, and nothing that is torn, cut, foreign or of another version is believed. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeRecord,
  encodeRecord,
  isSameHost,
  NO_NAMESPACE,
  provingStartTime,
  RECORD_BYTES,
  recordMark,
  type SessionRecord,
  TIMEOUT_INTERVAL_MS_MAX,
} from '../../src/protocol/record.js'

const text = (maxLength: number) => fc.string({ unit: fc.constantFrom(...'aZ09 .-_/:[]"\\ü€'), maxLength })
const intervals = fc.integer({ min: 1, max: TIMEOUT_INTERVAL_MS_MAX })
const records: fc.Arbitrary<SessionRecord> = fc.record({
  id: fc.stringMatching(/^[0-9a-f]{16}$/),
  host: text(100),
  bootId: fc.option(fc.uuid()),
  pidNamespace: fc.option(fc.constant('pid:[4026531836]')),
  pid: fc.integer({ min: 1, max: 2 ** 31 }),
  startTime: fc.option(fc.nat().map(String)),
  timeNamespace: fc.option(fc.constantFrom('time:[4026531834]', NO_NAMESPACE)),
  userNamespace: fc.option(fc.constantFrom('user:[4026531837]', NO_NAMESPACE)),
  uid: fc.integer({ min: -1, max: 2 ** 32 }),
  user: fc.option(text(32)),
  label: text(60),
  refreshRateMs: intervals,
  timeoutIntervalMs: intervals,
  beat: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  state: fc.constantFrom('alive', 'ended'),
})

test('a record is read as it was written', () => {
  fc.assert(
    fc.property(
      records,
      (record) => void expect(decodeRecord(encodeRecord(record))).toMatchObject(JSON.parse(JSON.stringify(record))),
    ),
  )
})

test('every record has the same size, so that rewriting it never truncates', () => {
  fc.assert(fc.property(records, (record) => Buffer.byteLength(encodeRecord(record)) === RECORD_BYTES))
})

test('a record contains the mark by which its rewriter knows it, and no other session’s', () => {
  fc.assert(
    fc.property(records, records, (one, other) => {
      fc.pre(one.id !== other.id)
      expect(encodeRecord(one)).toContain(recordMark(one.id))
      expect(encodeRecord(one)).not.toContain(recordMark(other.id))
    }),
  )
})

test('a record of a version that told for which locks it waited is read, and that is ignored', () => {
  fc.assert(
    fc.property(records, fc.anything(), (record, waitingFor) => {
      const written = { ...JSON.parse(encodeRecord(record)), waitingFor }
      expect(decodeRecord(JSON.stringify(written))).toEqual(decodeRecord(encodeRecord(record)))
    }),
  )
})

test('a record that does not fit is refused instead of cut', () => {
  const [record] = fc.sample(records, 1)
  expect(() => encodeRecord({ ...(record as SessionRecord), host: 'h'.repeat(RECORD_BYTES) })).toThrowError(RangeError)
})

describe('a record of the first version, which says nothing of namespaces,', () => {
  /** As programs before this one wrote it. */
  const oldRecord = (record: SessionRecord) => {
    const { timeNamespace, userNamespace, ...old } = record
    return JSON.stringify({ mountlock: 1, ...old, check: `${old.beat} ${old.state}` }).padEnd(RECORD_BYTES)
  }

  test('is read, but for its start time: it is not known by whose clock that was', () => {
    fc.assert(
      fc.property(records, (record) => {
        const read = decodeRecord(oldRecord(record))
        const { timeNamespace, userNamespace, ...old } = JSON.parse(JSON.stringify(record))
        expect(read).toMatchObject({ ...old, startTime: null, timeNamespace: null, userNamespace: null })
      }),
    )
  })

  test('is what programs that know no other read in ours, without a start time by which they could convict', () => {
    fc.assert(
      fc.property(records, (record) => {
        const written = JSON.parse(encodeRecord(record))
        expect(written).toMatchObject({
          mountlock: 1,
          pid: record.pid,
          beat: record.beat,
          check: `${record.beat} ${record.state}`,
        })
        expect(written.startTime).toBeNull()
      }),
    )
  })
})

describe('a start time proves something', () => {
  const me = { bootId: 'b', pidNamespace: 'p', startTime: '7', timeNamespace: 't', userNamespace: 'u' }
  const without = { ...me, timeNamespace: NO_NAMESPACE, userNamespace: NO_NAMESPACE }

  test('within one boot, and one namespace of each kind that /proc shows it by', () => {
    expect(provingStartTime({ ...me, startTime: '5' }, me)).toBe('5')
    expect(isSameHost({ ...me, startTime: '5' }, me)).toBe(true)
  })

  test('on a kernel without time and user namespaces, where all see the same', () => {
    expect(provingStartTime({ ...without, startTime: '5' }, without)).toBe('5')
  })

  test.each([
    { bootId: 'another' },
    { bootId: null },
    { pidNamespace: 'another' },
    { pidNamespace: null },
    { timeNamespace: 'another' },
    { timeNamespace: null },
    { timeNamespace: NO_NAMESPACE },
    { userNamespace: 'another' },
    { userNamespace: null },
    { startTime: null },
  ])('never in a record with %j, nor for a judge', (change) => {
    expect(provingStartTime({ ...me, ...change }, me)).toBeNull()
    if (!('startTime' in change)) expect(provingStartTime(me, { ...me, ...change })).toBeNull()
    const isPidKnown = !('bootId' in change || 'pidNamespace' in change)
    expect(isSameHost({ ...me, ...change }, me)).toBe(isPidKnown)
  })

  test('never where neither of two knows its namespaces: unknown is not the same', () => {
    const unknown = { bootId: null, pidNamespace: null, startTime: '5', timeNamespace: null, userNamespace: null }
    expect(isSameHost(unknown, unknown)).toBe(false)
    expect(provingStartTime({ ...me, timeNamespace: null }, { ...me, timeNamespace: null })).toBeNull()
  })
})

describe('not believed is', () => {
  test('a record that is cut anywhere but in its padding', () => {
    fc.assert(
      fc.property(records, fc.double({ min: 0, max: 1, noNaN: true }), (record, where) => {
        const whole = encodeRecord(record).trimEnd()
        expect(decodeRecord(whole.slice(0, Math.floor(where * (whole.length - 1))))).toBeNull()
      }),
    )
  })

  test('a mixture of two heartbeats, wherever the write stood when it was read', () => {
    const beats = fc.tuple(records, fc.integer({ min: 0, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 20 }))
    fc.assert(
      fc.property(beats, fc.integer({ min: 0, max: RECORD_BYTES }), ([record, beat, more], cut) => {
        const before = encodeRecord({ ...record, beat, state: 'alive' })
        const after = encodeRecord({ ...record, beat: beat + more, state: 'ended' })
        const torn = Buffer.concat([Buffer.from(after).subarray(0, cut), Buffer.from(before).subarray(cut)]).toString()
        const read = decodeRecord(torn)
        if (read !== null) expect([`${beat} alive`, `${beat + more} ended`]).toContain(`${read.beat} ${read.state}`)
      }),
    )
  })

  test('arbitrary text, and arbitrary JSON', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (anything) => decodeRecord(anything) === null))
    fc.assert(fc.property(fc.json(), (anything) => decodeRecord(anything) === null))
  })

  const [sample] = fc.sample(records, 1)
  const good = JSON.parse(encodeRecord({ ...(sample as SessionRecord), beat: 3, state: 'alive' }))
  test.each([
    { mountlock: 2 },
    { id: 'short' },
    { id: 'ABCDEFABCDEFABCD' },
    { host: 5 },
    { pid: 0 },
    { pid: 1.5 },
    { pid: '1' },
    { bootId: 7 },
    { started: 7 },
    { timeNamespace: 7 },
    { userNamespace: {} },
    { refreshRateMs: 0 },
    { timeoutIntervalMs: TIMEOUT_INTERVAL_MS_MAX + 1 },
    { timeoutIntervalMs: null },
    { beat: -1 },
    { beat: 4 },
    { state: 'dead' },
    { state: 'ended' },
    { check: '4 alive' },
  ])('a record with %j', (change) => {
    expect(decodeRecord(JSON.stringify(good))).not.toBeNull()
    expect(decodeRecord(JSON.stringify({ ...good, ...change }))).toBeNull()
  })
})
