/**
 * What bytes may stand in a `file-locks` file. Goal: whatever they are, parsing ends, throws nothing, and gives settings
 * that a locker takes; and what it cannot use it says, with a place that is in the file, in one line that no byte of the
 * file can forge.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { dirSync } from 'tmp-promise'
import { describe, expect, onTestFinished, test } from 'vitest'
import { formatDiagnostic } from '../../src/config/diagnostics.js'
import { loadConfig } from '../../src/config/load.js'
import { parseConfig } from '../../src/config/parse.js'
import { defaultSettings } from '../../src/config/settings.js'
import { lockerSettings } from '../../src/locker/settings.js'

const RUNS = 100_000
const FILE = '/etc/rstudio/file-locks'

const keys = fc.oneof(
  fc.constantFrom('lock-type', 'use-symlinks', 'refresh-rate', 'timeout-interval', 'enable-logging', 'log-file'),
  fc.constantFrom(
    'lock_type',
    'Lock-Type',
    'refresh-rte',
    '__proto__',
    'constructor',
    'toString',
    '',
    '#lock-type',
    '\uFEFFlock-type',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
)
const numbers = fc.oneof(
  fc.integer({ min: -5, max: 100_000 }).map(String),
  fc.double({ min: 0, max: 1e7 }).map(String),
  fc.constantFrom(
    '1e400',
    '-1e400',
    '0x10',
    '1_000',
    '+20',
    '20.',
    '.5',
    '1e1',
    'NaN',
    'Infinity',
    '２０',
    '86400',
    '86401',
    '2147483',
    '2147484',
  ),
)
const values = fc.oneof(
  fc.constantFrom(
    'linkbased',
    'advisory',
    'LINKBASED',
    'renamebased',
    '"linkbased"',
    '"linkbased',
    '0',
    '1',
    '/var/log/locks',
    'locks.log',
    '"\\u0000"',
    '/a\u202Eb',
  ),
  numbers,
  numbers,
  fc.string({ unit: 'binary', maxLength: 200 }),
)
const blanks = fc.constantFrom('', ' ', '\t', '\u00a0', '\r', ' # ')
const line = fc.oneof(
  {
    arbitrary: fc.tuple(blanks, keys, blanks, values, blanks).map(([a, key, b, value, c]) => `${a}${key}${b}=${c}${value}${a}`),
    weight: 5,
  },
  fc.string({ unit: 'binary', maxLength: 60 }),
)
const text = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\r\n', '\r'))
  .map(([lines, end]) => Buffer.from(lines.join(end)))
/** Text, text in which a few bytes are something else, and anything at all. */
const bytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  { arbitrary: text, weight: 6 },
  {
    arbitrary: fc
      .tuple(text, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([whole, changes]) => {
        const changed = Uint8Array.from(whole)
        for (const [place, byte] of changes) if (changed.length > 0) changed[place % changed.length] = byte
        return changed
      }),
    weight: 3,
  },
  fc.uint8Array({ maxLength: 300 }),
)

/** Neither ends the line nor moves a cursor. */
const HARMLESS = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u

describe('whatever bytes a configuration file has', () => {
  test('they are parsed to settings that a locker takes', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(bytes, (file) => {
        const { settings } = parseConfig(file, FILE)
        const { logFile, ...rest } = settings
        const taken = lockerSettings({ ...rest, ...(logFile !== null && { logFile }) })
        const differs = Object.entries(rest).find(([key, value]) => taken[key as keyof typeof taken] !== value)
        if (differs !== undefined) throw new Error(`The locker takes another ${differs[0]}`)
      }),
      { numRuns: RUNS },
    )
  })

  test('every setting that does not come from a line of the file is the default', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(bytes, (file) => {
        const { settings, origins } = parseConfig(file, FILE)
        const lines = Buffer.from(file).toString().split('\n').length
        for (const [key, value] of Object.entries(defaultSettings())) {
          const origin = origins[key as keyof typeof origins]
          const setting = settings[key as keyof typeof settings]
          if (origin === 'default') {
            if (setting !== value) throw new Error(`${key} is ${setting}`)
          } else if (!(origin.line >= 1 && origin.line <= lines))
            throw new Error(`${key} comes from line ${origin.line} of ${lines}`)
        }
      }),
      { numRuns: RUNS },
    )
  })

  test(
    'each complaint has a place in the file and is one line without anything that could forge another',
    {
      timeout: 300_000,
    },
    () => {
      fc.assert(
        fc.property(bytes, (file) => {
          const { diagnostics } = parseConfig(file, FILE)
          const lines = new TextDecoder().decode(file).split('\n')
          if (diagnostics.length > 101) throw new Error(`${diagnostics.length} complaints`)
          for (const diagnostic of diagnostics) {
            const { line, column } = diagnostic
            const length = lines[line - 1]?.length ?? 0
            if (line !== 0 && !(column >= 1 && column <= length + 1)) throw new Error(`There is no ${line}:${column} in it`)
            const said = formatDiagnostic(diagnostic)
            if (!HARMLESS.test(said) || said.length > 1000) throw new Error(`This was said: ${JSON.stringify(said)}`)
          }
        }),
        { numRuns: RUNS },
      )
    },
  )

  test('parsing it again gives the same, and the file is not written to', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(bytes, (file) => {
        const before = Uint8Array.from(file)
        const first = JSON.stringify(parseConfig(file, FILE))
        if (JSON.stringify(parseConfig(file, FILE)) !== first || !Buffer.from(before).equals(file)) throw new Error('It differs')
      }),
      { numRuns: RUNS },
    )
  })

  test('the file is read as its bytes are parsed', () => {
    const folder = dirSync({ unsafeCleanup: true })
    onTestFinished(() => folder.removeCallback())
    const path = join(folder.name, 'file-locks')
    fc.assert(
      fc.property(bytes, (file) => {
        writeFileSync(path, file)
        expect(loadConfig({ file: path })).toEqual({ file: path, found: true, ...parseConfig(file, path) })
      }),
      { numRuns: 500 },
    )
  })

  test('a megabyte of one line, of lines, or of faults is parsed in no time', () => {
    const megabyte = 1024 * 1024
    for (const file of [
      'x'.repeat(megabyte),
      '='.repeat(megabyte),
      '\n'.repeat(megabyte),
      'a=b\n'.repeat(megabyte / 4),
      `lock-type="${'\\'.repeat(megabyte)}"`,
      ' '.repeat(megabyte),
      `#${' #'.repeat(megabyte / 2)}`,
      `log-file=/${' #'.repeat(megabyte / 2)}`,
    ]) {
      const before = process.cpuUsage()
      parseConfig(file, FILE)
      const { user, system } = process.cpuUsage(before) // in microseconds, and those of this process alone
      expect((user + system) / 1000, file.slice(0, 20)).toBeLessThan(2000)
    }
  })
})
