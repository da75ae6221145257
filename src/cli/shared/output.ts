/** What every command says and how: data on standard output, talk on standard error, colours on a terminal only. */

import { styleText } from 'node:util'
import { type Diagnostic, formatDiagnostic } from '../../config/diagnostics.js'
import type { MountlockError } from '../../errors.js'
import { printable } from '../../log/printable.js'
import { codeOf } from './bounded.js'
import { spoken } from './speaker.js'
import { writeOutput, writeTalk } from './streams.js'
import type { WarningCode } from './verdicts.js'

export interface Warning {
  /** Stable, for programs. */
  code: string
  message: string
}

export class Printer {
  readonly #quiet: boolean
  readonly #json: boolean
  readonly #warnings: Warning[] = []

  constructor({ quiet, json }: { quiet: boolean; json: boolean }) {
    this.#quiet = quiet
    this.#json = json
  }

  /** What was warned of so far. */
  get warnings(): readonly Warning[] {
    return this.#warnings
  }

  /** Nice to know: silenced by --quiet. */
  talk(line: string): void {
    if (!this.#quiet) writeError(line)
  }

  warn(code: WarningCode, message: string): void {
    this.#warnings.push({ code, message })
    writeComplaint('warning', message)
  }

  /** Nothing if there was a warning with that code before. */
  warnOnce(code: WarningCode, message: string): void {
    if (!this.#warnings.some((warning) => warning.code === code)) this.warn(code, message)
  }

  error(message: string): void {
    writeComplaint('error', message)
  }

  diagnostics(diagnostics: readonly Diagnostic[]): void {
    writeErrorDiagnostics(diagnostics)
  }

  /** A line for people on standard output, in place of which --json prints one object. */
  line(text: string): void {
    if (!this.#json) writeOut(text)
  }

  report(report: object): void {
    if (this.#json) writeJson(report)
  }
}

export function messageOf(error: unknown): string {
  return printable(inOptions(error instanceof Error ? error.message : String(error)))
}

/** What was seen, and what to do about it. */
export function inParts(error: MountlockError): { seen: string; remedy: string } {
  const remedy = messageOf(error.advice)
  return { seen: messageOf(error).replace(remedy, '').trim().replace(/\.$/, ''), remedy }
}

/** What the library says in its own properties, in the options of the program: its readers write no TypeScript. */
function inOptions(message: string): string {
  return OPTIONS.reduce((text, [property, option]) => text.replaceAll(property, option), message)
}

const OPTIONS: readonly [RegExp, string][] = [
  [/\blockType: '(\w+)'/g, 'lock-type=$1'],
  [/`workbench: true`, or locktester run --workbench/g, 'locktester run --workbench'],
  [/`workbench: true`, with an asynchronous call in the main thread/g, 'locktester run --workbench'],
]

/** For programs. */
export function errorReport(error: unknown): { code: string; message: string } {
  return { code: codeOf(error) ?? 'UNEXPECTED', message: messageOf(error) }
}

/** Coloured on a terminal, and only where the environment does not ask for none (NO_COLOR). */
export function paint(
  format: 'bold' | 'gray' | 'green' | 'red' | 'yellow',
  text: string,
  stream: NodeJS.WriteStream = process.stderr,
): string {
  return styleText(format, text, { stream, validateStream: true })
}

export function writeOut(text: string): void {
  writeOutput(`${text}\n`)
}

/** @param indent 0: on one line */
export function writeJson(report: object, indent = 2): void {
  writeOut(JSON.stringify(report, null, indent).replace(UNSAFE_IN_JSON, escapedUnits))
}

/** What JSON lets stand as it is, and a terminal does not: control characters above 127, and what turns the writing round. */
const UNSAFE_IN_JSON = /[\x7f-\x9f\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu

function escapedUnits(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}

export function writeError(text: string): void {
  writeTalk(`${text}\n`)
}

/** `locktester run: error: …`: whatever the command, and whether or not it does anything after that. */
export function complaint(severity: 'error' | 'warning', message: string): string {
  return spoken(`${paint(severity === 'error' ? 'red' : 'yellow', `${severity}:`)} ${message}`)
}

export function writeComplaint(severity: 'error' | 'warning', message: string): void {
  writeError(complaint(severity, message))
}

export function writeErrorDiagnostics(diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of diagnostics) writeError(formatDiagnostic(diagnostic))
}
