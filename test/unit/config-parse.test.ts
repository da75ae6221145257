/** Goal: whatever stands in a `file-locks` file, the settings are usable and the reader is told what was not understood, and where. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDiagnostic } from '../../src/config/diagnostics.js'
import { parseConfig } from '../../src/config/parse.js'
import { defaultSettings } from '../../src/config/settings.js'

const FILE = '/etc/rstudio/file-locks'
const parse = (text: string | Uint8Array) => parseConfig(text, FILE)
const formatted = (text: string | Uint8Array) => parse(text).diagnostics.map(formatDiagnostic)

describe('a clean file', () => {
  it('sets every setting, and says from which line', () => {
    const parsed = parse(
      'lock-type=advisory\nuse-symlinks=1\nrefresh-rate=10\ntimeout-interval=15\nenable-logging=1\nlog-file=/var/log/locks.log\n',
    )
    expect(parsed).toEqual({
      settings: {
        lockType: 'advisory',
        useSymlinks: true,
        refreshRateMs: 10_000,
        timeoutIntervalMs: 15_000,
        enableLogging: true,
        logFile: '/var/log/locks.log',
      },
      diagnostics: [],
      origins: {
        lockType: { line: 1 },
        useSymlinks: { line: 2 },
        refreshRateMs: { line: 3 },
        timeoutIntervalMs: { line: 4 },
        enableLogging: { line: 5 },
        logFile: { line: 6 },
      },
    })
  })

  it.each([
    ['an empty file', ''],
    ['comments and blank lines', '\n# refresh-rate=1\n   # lock-type=advisory\n\t\n'],
  ])('means the defaults: %s', (_name, text) => {
    expect(parse(text)).toMatchObject({ settings: defaultSettings(), diagnostics: [], origins: { lockType: 'default' } })
  })

  it.each([
    ['blanks around the line, the key and the value', ' \t lock-type \t=  advisory \t'],
    ['CRLF', 'lock-type=advisory\r\nuse-symlinks=0\r\n'],
    ['a byte order mark', '\uFEFFlock-type=advisory'],
    ['another case of the value', 'lock-type=Advisory'],
    ['double quotes, as Workbench itself writes values', 'lock-type="advisory"'],
  ])('may have %s', (_name, text) => {
    for (const input of [text, new TextEncoder().encode(text)]) {
      expect(parse(input)).toMatchObject({ settings: { lockType: 'advisory' }, diagnostics: [] })
    }
  })

  it.each([
    ['1.5', 1500],
    ['1', 1000],
    ['29.999', 29_999],
    ['20.000000', 20_000],
    ['+20', 20_000],
    ['2e1', 20_000],
  ])('may give %s seconds', (text, milliseconds) => {
    expect(parse(`refresh-rate=${text}\ntimeout-interval=60`)).toMatchObject({
      settings: { refreshRateMs: milliseconds },
      diagnostics: [],
    })
  })

  it('may have equals signs, blanks and number signs within a path', () => {
    expect(parse('log-file=/var/log/a=b #1.log')).toMatchObject({ settings: { logFile: '/var/log/a=b #1.log' }, diagnostics: [] })
  })
})

describe('a fault is reported with its place, and the default stands in', () => {
  it.each([
    [
      'lock-type=flock',
      'BAD_VALUE',
      11,
      'lock-type: expected linkbased, advisory or renamebased, got "flock"; the default is used',
    ],
    ['use-symlinks = true', 'BAD_VALUE', 16, 'use-symlinks: expected 0 or 1, got "true"; the default is used'],
    [
      "lock-type='advisory'",
      'BAD_VALUE',
      11,
      'lock-type: expected linkbased, advisory or renamebased, got "\'advisory\'"; the default is used',
    ],
    [
      'refresh-rate=inf',
      'BAD_VALUE',
      14,
      'refresh-rate: expected a number of seconds, such as 20 or 1.5, got "inf"; the default is used',
    ],
    [
      'refresh-rate=NaN',
      'BAD_VALUE',
      14,
      'refresh-rate: expected a number of seconds, such as 20 or 1.5, got "NaN"; the default is used',
    ],
    [
      'refresh-rate=0x10',
      'BAD_VALUE',
      14,
      'refresh-rate: expected a number of seconds, such as 20 or 1.5, got "0x10"; the default is used',
    ],
    [
      'refresh-rate=10 # s',
      'BAD_VALUE',
      14,
      'refresh-rate: expected a number of seconds, such as 20 or 1.5, got "10 # s" (a comment needs a line of its own); the default is used',
    ],
    ['log-file=locks.log', 'RELATIVE_PATH', 10, 'log-file: expected an absolute path, got "locks.log"; the default is used'],
    ['log-file=/a\0b', 'BAD_CHARACTER', 10, 'log-file: expected printable UTF-8 text, got "/a\\u0000b"; the default is used'],
    [
      'log-file="/a\\u0007"',
      'BAD_CHARACTER',
      10,
      'log-file: expected printable UTF-8 text, got "\\"/a\\\\u0007\\""; the default is used',
    ],
    [
      'log-file="/a\\x"',
      'BAD_VALUE',
      10,
      'log-file: expected a text between double quotes with the escapes of JSON, got "\\"/a\\\\x\\""; the default is used',
    ],
    ['lock-tpye=advisory', 'UNKNOWN_KEY', 1, 'unknown key "lock-tpye"; the line is ignored; did you mean lock-type?'],
    ['  Refresh_Rate=5', 'UNKNOWN_KEY', 3, 'unknown key "Refresh_Rate"; the line is ignored; did you mean refresh-rate?'],
    [
      '__proto__=1',
      'UNKNOWN_KEY',
      1,
      'unknown key "__proto__"; the line is ignored; the keys are lock-type, use-symlinks, refresh-rate, timeout-interval, enable-logging, log-file',
    ],
    [' lock-type advisory', 'NO_EQUALS_SIGN', 2, 'expected key=value, got "lock-type advisory"; the line is ignored'],
  ])('%j', (line, code, column, message) => {
    const parsed = parse(`# a comment\n${line}\n`)
    expect(parsed.diagnostics).toEqual([{ severity: 'error', code, message, file: FILE, line: 2, column }])
    expect(parsed.settings).toEqual(defaultSettings())
  })

  it.each(['0', '-5', '0.999', '1e999', '-1e999', '86401', '1e-400'])('a number out of range: %s seconds', (text) => {
    const parsed = parse(`timeout-interval=${text}`)
    expect(parsed.diagnostics).toMatchObject([{ severity: 'error', code: 'OUT_OF_RANGE', line: 1, column: 18 }])
    expect(parsed.settings).toEqual(defaultSettings())
  })

  it('bytes that are not UTF-8 do not become a path with another name', () => {
    const bytes = new Uint8Array([...new TextEncoder().encode('log-file=/a'), 0xff])
    expect(parse(bytes)).toMatchObject({ settings: { logFile: null }, diagnostics: [{ code: 'BAD_CHARACTER' }] })
  })

  it('a value that is missing is only a warning, for Workbench means the default by it', () => {
    expect(formatted('log-file=')).toEqual([`${FILE}:1:10: warning: log-file has no value; the default is used`])
  })

  it('of two lines with one key the first wins, as in Workbench', () => {
    const parsed = parse('lock-type=advisory\n\nlock-type=linkbased\n')
    expect(parsed.settings.lockType).toBe('advisory')
    expect(parsed.diagnostics.map(formatDiagnostic)).toEqual([
      `${FILE}:3:1: error: lock-type was given before: line 1 wins, this line is ignored`,
    ])
  })

  it('a wrong first line is not mended by a second one', () => {
    const parsed = parse('use-symlinks=yes\nuse-symlinks=1\n')
    expect(parsed).toMatchObject({ settings: { useSymlinks: false }, origins: { useSymlinks: 'default' } })
    expect(parsed.diagnostics.map(({ code }) => code)).toEqual(['BAD_VALUE', 'DUPLICATE_KEY'])
  })

  it('control characters from the file do not reach the terminal', () => {
    expect(formatted('\u001b[31mred\u202e=1\n').join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })

  it('a file that is something else altogether is not reported line by line', () => {
    const { diagnostics } = parse('x\n'.repeat(100_000))
    expect(diagnostics).toHaveLength(101)
    expect(diagnostics.at(-1)).toMatchObject({ code: 'TOO_MANY', line: 101 })
  })
})

describe('the two intervals', () => {
  it.each([
    ['equal', 'refresh-rate=25\ntimeout-interval=25', 1, 14],
    ['exchanged', 'timeout-interval=20\nrefresh-rate=30', 2, 14],
    ['refresh-rate not below the default of the other', 'refresh-rate=40', 1, 14],
    ['timeout-interval not above the default of the other', 'timeout-interval=20', 1, 18],
    ['equal once they are in milliseconds', 'refresh-rate=5.0001\ntimeout-interval=5.0002', 1, 14],
  ])('both go back to 20 and 30 seconds when they are %s', (_name, text, line, column) => {
    const parsed = parse(text)
    expect(parsed.settings).toEqual(defaultSettings())
    expect(parsed.origins).toMatchObject({ refreshRateMs: 'default', timeoutIntervalMs: 'default' })
    expect(parsed.diagnostics).toMatchObject([{ severity: 'error', code: 'REFRESH_NOT_BELOW_TIMEOUT', line, column }])
  })

  it('are kept, with a warning, when the timeout is less than 1.5 times the refresh', () => {
    const parsed = parse('refresh-rate=21\n')
    expect(parsed.settings).toMatchObject({ refreshRateMs: 21_000, timeoutIntervalMs: 30_000 })
    expect(parsed.diagnostics).toMatchObject([{ severity: 'warning', code: 'TIMEOUT_TIGHT', line: 1, column: 14 }])
  })
})

describe('properties', { timeout: 60_000 }, () => {
  const KEYS = ['lock-type', 'use-symlinks', 'refresh-rate', 'timeout-interval', 'enable-logging', 'log-file']

  function expectUsable(input: string | Uint8Array): void {
    const { settings, diagnostics, origins } = parse(input)
    expect(['linkbased', 'advisory']).toContain(settings.lockType)
    expect(settings.refreshRateMs).toBeGreaterThanOrEqual(1000)
    expect(settings.timeoutIntervalMs).toBeLessThanOrEqual(2 ** 31 - 1)
    expect(settings.refreshRateMs).toBeLessThan(settings.timeoutIntervalMs)
    expect([settings.refreshRateMs, settings.timeoutIntervalMs].every(Number.isInteger)).toBe(true)
    expect(typeof settings.useSymlinks).toBe('boolean')
    expect(typeof settings.enableLogging).toBe('boolean')
    expect(settings.logFile ?? '/').toMatch(/^\/\P{Cc}*$/u)
    for (const diagnostic of diagnostics) {
      expect(diagnostic.line).toBeGreaterThanOrEqual(1)
      expect(diagnostic.column).toBeGreaterThanOrEqual(1)
      expect(formatDiagnostic(diagnostic)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
    }
    const defaults: Record<string, unknown> = { ...defaultSettings() }
    for (const [setting, value] of Object.entries(settings)) {
      if (origins[setting as keyof typeof origins] === 'default') expect(value).toBe(defaults[setting])
    }
  }

  it('arbitrary bytes give usable settings', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), expectUsable), { numRuns: 1000 })
  })

  it('lines that look like settings give usable settings', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 })
    const value = fc.oneof(text, fc.double().map(String), fc.integer({ min: -5, max: 60 }).map(String), fc.constant('advisory'))
    const entry = fc.tuple(fc.oneof(fc.constantFrom(...KEYS), text), fc.constantFrom('=', ' = ', '', '=="'), value)
    const file = fc.array(entry.map((parts) => parts.join(''))).map((lines) => lines.join('\n'))
    fc.assert(fc.property(file, expectUsable), { numRuns: 1000 })
  })

  it('settings that are written down are read back as they were', () => {
    const intervals = fc
      .tuple(fc.integer({ min: 1000, max: 2_000_000 }), fc.integer({ min: 1, max: 2_000_000 }))
      .map(([refreshRateMs, more]) => ({ refreshRateMs, timeoutIntervalMs: refreshRateMs + more }))
    const rest = fc.record({
      lockType: fc.constantFrom('linkbased' as const, 'advisory' as const),
      useSymlinks: fc.boolean(),
      enableLogging: fc.boolean(),
      logFile: fc.stringMatching(/^\/[^\p{C}\uFFFD]*$/u),
    })
    fc.assert(
      fc.property(intervals, rest, ({ refreshRateMs, timeoutIntervalMs }, { lockType, useSymlinks, enableLogging, logFile }) => {
        const text = [
          `lock-type=${lockType}`,
          `use-symlinks=${Number(useSymlinks)}`,
          `refresh-rate=${refreshRateMs / 1000}`,
          `timeout-interval=${timeoutIntervalMs / 1000}`,
          `enable-logging=${Number(enableLogging)}`,
          `log-file=${JSON.stringify(logFile)}`,
        ].join('\r\n')
        expect(parse(text).settings).toEqual({
          lockType,
          useSymlinks,
          refreshRateMs,
          timeoutIntervalMs,
          enableLogging,
          logFile,
        })
      }),
      { numRuns: 1000 },
    )
  })
})
