/** A command, as it is written and helped with. What it does is loaded when it is chosen. */

import type { Options, PositionalOptions } from 'yargs'

export interface CommandSpec {
  /** The name and its positionals: `<needed>`, `[optional]`, `<several..>`. */
  usage: string | string[]
  /** One line for the list of commands; `false` hides it there. */
  summary: string | false
  /** The top of its help: examples first, then how it is used. */
  head: string
  /** The bottom of its help: exit codes, fields of --json. */
  tail: string
  positionals?: Record<string, PositionalOptions>
  options: Record<string, Options>
  /** The words behind `--` are another program's. */
  takesBehind?: true
  /** What the values mean: pure. @throws UsageError */
  read(parsed: Record<string, unknown>): unknown
  /** @param options what `read` has returned */
  run(options: never): Promise<void>
}

/** An option with a value, for {@link CommandSpec.read} to make sense of. */
export const valued = (describe: string, more: Options = {}): Options => ({
  type: 'string',
  requiresArg: true,
  describe,
  ...more,
})
export const flag = (describe: string, alias?: string): Options => ({ type: 'boolean', describe, ...(alias && { alias }) })

/** The arguments are not what they must be; the message says which. */
export class UsageError extends Error {}

/** For options that several commands have, so that they are the same everywhere. */
export const CONFIG_OPTION = valued('Use this file-locks file')
export const QUIET_OPTION = flag('Nothing on standard error but errors and warnings')
export const JSON_OPTION = flag('Print one JSON object instead')
export const HTML_OPTION = valued('Write a page with all of it to FILE')

/** setTimeout knows no more: about 24 days. */
const SECONDS_MAX = 2_147_483

/** @returns milliseconds, `undefined` where the option is absent @throws UsageError */
export function readSeconds(option: string, text: unknown): number | undefined {
  if (text === undefined) return undefined
  const seconds = typeof text === 'string' && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds <= SECONDS_MAX)) {
    throw new UsageError(`Expected a number of seconds, at most ${SECONDS_MAX}, after --${option}, got "${text}"`)
  }
  return seconds * 1000
}

/** @throws UsageError for what is no whole number in that range */
export function readNumber(option: string, text: unknown, min: number, max: number, byDefault: number): number {
  if (text === undefined) return byDefault
  const number = /^\d+$/.test(text as string) ? Number(text) : Number.NaN
  if (number >= min && number <= max) return number
  throw new UsageError(`Expected a number from ${min} to ${max} after --${option}, got "${text}"`)
}

/** @throws UsageError */
export function readFileName(option: string, parsed: Record<string, unknown>): string | undefined {
  return readText(`the name of a file after --${option}`, parsed[option])
}

/** @throws UsageError for an empty text: a variable of a script that was not set, most likely */
export function readText(what: string, text: unknown): string | undefined {
  if (text === '') throw new UsageError(`Expected ${what}, got nothing`)
  return text as string | undefined
}
