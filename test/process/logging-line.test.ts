/** Goal: one event is one line, whatever the names of files; and subscribers get the event itself. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { publish } from '../../src/log/channels.js'
import type { LockEvent, LockEventName, LockOutcome } from '../../src/log/events.js'
import { formatLine } from '../../src/log/line.js'

const EVENT: LockEvent = {
  event: 'acquire',
  path: '/shared/ann/session.lock',
  lockType: 'linkbased',
  outcome: 'acquired',
  token: 7n,
}

describe('a line of the log', { timeout: 60_000 }, () => {
  it('has the time, the process, the lock, the outcome and the details', () => {
    const error = Object.assign(new Error('EIO: i/o error, link'), { code: 'EIO' })
    expect(formatLine({ ...EVENT, detail: 'held by "bob"', error }, 'node1')).toMatch(
      new RegExp(
        `^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z pid=${process.pid} host=node1 type=linkbased event=acquire ` +
          'path=/shared/ann/session.lock outcome=acquired token=7 detail="held by \\\\"bob\\\\"" error="EIO: i/o error, link"\\n$',
      ),
    )
  })

  it('has no token where there is none', () => {
    expect(formatLine({ ...EVENT, token: null }, 'node1')).toMatch(/ outcome=acquired\n$/)
  })

  it.each([null, Symbol('s'), Object.create(null), { code: 5 }, 'text', Object.assign(new Error('m'), { code: 5, message: 7 })])(
    'may have anything at all for its error (%#)',
    (error) => {
      expect(formatLine({ ...EVENT, error }, 'node1')).toMatch(/ error=.+\n$/)
    },
  )

  it('cannot be forged by a path with a newline or with what looks like another field', () => {
    const line = formatLine({ ...EVENT, path: '/a\n2026-01-01T00:00:00.000Z pid=1 outcome="released" \\' }, 'node1')
    expect(line).toContain('path="/a\\u000a2026-01-01T00:00:00.000Z pid=1 outcome=\\"released\\" \\\\" outcome=acquired')
  })

  it('is one printable line that fits into a message of the system log, whatever the texts', () => {
    const text = fc.string({ unit: 'binary', maxLength: 5000, size: 'max' })
    fc.assert(
      fc.property(text, text, text, (path, detail, host) => {
        const line = formatLine({ ...EVENT, path, detail, error: new Error(path) }, host)
        expect(line).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]+\n$/u)
      }),
      { numRuns: 200 },
    )
    const longest = '\u{10ffff}'.repeat(5000)
    const line = formatLine(
      { ...EVENT, path: longest, outcome: longest as LockOutcome, detail: longest, error: longest },
      longest,
    )
    expect(Buffer.byteLength(line)).toBeLessThan(8192)
  })
})

describe('diagnostics channels', () => {
  const names: LockEventName[] = ['acquire', 'wait', 'release', 'refresh', 'lost', 'reap']

  it.each(names)('mountlock:%s gets the event itself', (name) => {
    const got: unknown[] = []
    const listener = (message: unknown) => got.push(message)
    const event = { ...EVENT, event: name }
    publish(event)
    subscribe(`mountlock:${name}`, listener)
    publish(event)
    for (const other of names.filter((one) => one !== name)) publish({ ...EVENT, event: other })
    unsubscribe(`mountlock:${name}`, listener)
    publish(event)
    expect(got).toEqual([event])
    expect(got[0]).toBe(event)
  })
})
