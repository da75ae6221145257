/**
 * The `file-locks` file of Posit Workbench: bytes in, settings and diagnostics out. Pure; never throws, whatever the bytes;
 * the settings are always usable.
 *
 * The format is the one that Workbench reads: `key=value`, one to a line; blanks around either do not count; keys are
 * lower case; a value may stand between double quotes. `#` begins a comment only as the first character of a line: within
 * a line it belongs to the value, for paths may have one. Of two lines with the same key the first one wins. Where
 * Workbench takes the default in silence, so do we, but with a diagnostic.
 */

import { quote } from '../log/printable.js'
import type { Diagnostic, DiagnosticCode } from './diagnostics.js'
import { type ConfigSettings, defaultOrigins, defaultSettings, type Origins } from './settings.js'
import { mostSimilar } from './similar.js'
import { type Problem, type Reading, readLockType, readPath, readSeconds, readSwitch, readText } from './values.js'

/** What the text of a file says. */
export interface ParsedConfig {
  /** Usable in any case: the default stands where the file says nothing usable. */
  settings: ConfigSettings
  /** What is wrong, in the order of the lines. */
  diagnostics: Diagnostic[]
  /** Where each setting comes from. */
  origins: Origins
}

interface Entry {
  key: string
  value: string
  line: number
  keyColumn: number
  valueColumn: number
}

interface Position {
  line: number
  column: number
}

interface Field {
  setting: keyof ConfigSettings
  apply(settings: ConfigSettings, text: string): Problem | null
}

const FIELDS: ReadonlyMap<string, Field> = new Map([
  ['lock-type', field('lockType', readLockType)],
  ['use-symlinks', field('useSymlinks', readSwitch)],
  ['refresh-rate', field('refreshRateMs', readSeconds)],
  ['timeout-interval', field('timeoutIntervalMs', readSeconds)],
  ['enable-logging', field('enableLogging', readSwitch)],
  ['log-file', field('logFile', readPath)],
])

/** Chosen: beyond this, a file is not a configuration file, and no reader goes on. */
const DIAGNOSTICS_MAX = 100

/** A shorter timeout leaves no room for one heartbeat that comes half an interval late. */
const TIMEOUT_TO_REFRESH_MIN = 1.5

const SHOWN_CHARACTERS_MAX = 80

/** `file` is only for the diagnostics. @internal */
export function parseConfig(bytes: Uint8Array | string, file: string): ParsedConfig {
  return new Parser(file).parse(typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes))
}

class Parser {
  readonly #file: string
  readonly #settings = defaultSettings()
  readonly #origins = defaultOrigins()
  readonly #diagnostics: Diagnostic[] = []
  readonly #entries = new Map<string, Entry>()

  constructor(file: string) {
    this.#file = file
  }

  parse(text: string): ParsedConfig {
    const lines = text.replace(/^\uFEFF/, '').split('\n')
    for (const [index, line] of lines.entries()) this.#parseLine(line, index + 1)
    this.#checkIntervals()
    return {
      settings: this.#settings,
      origins: this.#origins,
      diagnostics: this.#diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column),
    }
  }

  #parseLine(line: string, number: number): void {
    const content = trim(line)
    if (content.text === '' || content.text.startsWith('#')) return
    const equals = line.indexOf('=')
    if (equals === -1) {
      const message = `expected key=value, got ${shown(content.text)}; the line is ignored`
      this.#report('error', 'NO_EQUALS_SIGN', { line: number, column: content.start + 1 }, message)
      return
    }
    const value = trim(line.slice(equals + 1))
    this.#take({
      key: trim(line.slice(0, equals)).text,
      value: value.text,
      line: number,
      keyColumn: content.start + 1,
      valueColumn: equals + 1 + value.start + 1,
    })
  }

  #take(entry: Entry): void {
    const { key, line, keyColumn } = entry
    const known = FIELDS.get(key)
    const first = this.#entries.get(key)
    if (known === undefined) {
      this.#reportUnknownKey(entry)
    } else if (first !== undefined) {
      const message = `${key} was given before: line ${first.line} wins, this line is ignored`
      this.#report('error', 'DUPLICATE_KEY', { line, column: keyColumn }, message)
    } else {
      this.#entries.set(key, entry)
      this.#apply(entry, known)
    }
  }

  #apply({ key, value, line, valueColumn }: Entry, { setting, apply }: Field): void {
    if (value === '') {
      this.#report('warning', 'EMPTY_VALUE', { line, column: valueColumn }, `${key} has no value; the default is used`)
      return
    }
    const reading = readText(value)
    const problem = 'problem' in reading ? reading.problem : apply(this.#settings, reading.value)
    if (problem === null) {
      this.#origins[setting] = { line }
      return
    }
    // A user that writes a comment behind a value wonders why it is not understood.
    const hint = problem.code !== 'BAD_CHARACTER' && /\s#/.test(value) ? ' (a comment needs a line of its own)' : ''
    const message = `${key}: expected ${problem.expected}, got ${shown(value)}${hint}; the default is used`
    this.#report('error', problem.code, { line, column: valueColumn }, message)
  }

  #checkIntervals(): void {
    const settings = this.#settings
    const refresh = this.#entries.get('refresh-rate')
    const timeout = this.#entries.get('timeout-interval')
    const given = `(${settings.refreshRateMs / 1000} s and ${settings.timeoutIntervalMs / 1000} s)`
    if (settings.refreshRateMs >= settings.timeoutIntervalMs) {
      const { refreshRateMs, timeoutIntervalMs } = defaultSettings()
      Object.assign(settings, { refreshRateMs, timeoutIntervalMs })
      Object.assign(this.#origins, { refreshRateMs: 'default', timeoutIntervalMs: 'default' })
      const defaults = `${refreshRateMs / 1000} s and ${timeoutIntervalMs / 1000} s are used`
      const message = `refresh-rate must be smaller than timeout-interval ${given}: the defaults, ${defaults}`
      this.#reportAt(refresh ?? timeout, 'error', 'REFRESH_NOT_BELOW_TIMEOUT', message)
    } else if (settings.timeoutIntervalMs < TIMEOUT_TO_REFRESH_MIN * settings.refreshRateMs) {
      const remedy = `make it at least ${TIMEOUT_TO_REFRESH_MIN} times the refresh-rate`
      const message = `timeout-interval is so close to refresh-rate ${given} that one late heartbeat can cost a lock: ${remedy}`
      this.#reportAt(timeout ?? refresh, 'warning', 'TIMEOUT_TIGHT', message)
    }
  }

  #reportUnknownKey({ key, line, keyColumn }: Entry): void {
    if (this.#diagnostics.length > DIAGNOSTICS_MAX) return // a suggestion takes its time, and would not be shown
    const similar = mostSimilar(key, FIELDS.keys())
    const help = similar === null ? `the keys are ${[...FIELDS.keys()].join(', ')}` : `did you mean ${similar}?`
    const message = `unknown key ${shown(key)}; the line is ignored; ${help}`
    this.#report('error', 'UNKNOWN_KEY', { line, column: keyColumn }, message)
  }

  #reportAt(entry: Entry | undefined, severity: Diagnostic['severity'], code: DiagnosticCode, message: string): void {
    this.#report(severity, code, { line: entry?.line ?? 0, column: entry?.valueColumn ?? 0 }, message)
  }

  #report(severity: Diagnostic['severity'], code: DiagnosticCode, place: Position, message: string): void {
    const count = this.#diagnostics.length
    if (count < DIAGNOSTICS_MAX) this.#diagnostics.push({ severity, code, message, file: this.#file, ...place })
    if (count !== DIAGNOSTICS_MAX) return
    const rest = 'there are more faults; is this a file-locks file at all?'
    this.#diagnostics.push({ severity: 'error', code: 'TOO_MANY', message: rest, file: this.#file, ...place })
  }
}

function field<S extends keyof ConfigSettings>(setting: S, read: (text: string) => Reading<ConfigSettings[S]>): Field {
  return {
    setting,
    apply(settings, text) {
      const reading = read(text)
      if ('problem' in reading) return reading.problem
      settings[setting] = reading.value
      return null
    },
  }
}

/** ASCII blanks only, as in Workbench: a no-break space that a web page left behind is shown, not swallowed. */
function trim(text: string): { text: string; start: number } {
  const start = text.search(/[^ \t\r\v\f]/)
  if (start === -1) return { text: '', start: text.length }
  let end = text.length
  while (' \t\r\v\f'.includes(text[end - 1] as string)) end--
  return { text: text.slice(start, end), start }
}

function shown(text: string): string {
  return quote(text, SHOWN_CHARACTERS_MAX)
}
