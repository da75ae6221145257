/** What is said of a wrong command line, and what its words mean: pure. */

import { assert } from '../../assert.js'
import { mostSimilar } from '../../config/similar.js'

/** The arguments are not what they must be; the message says which, and what to write. */
export class UsageError extends Error {}

/** What was written resembles something that there is, and the message names it. */
export class MeantError extends UsageError {}

/** What yargs has made of a command line: options by their long names, the words in `_`, those behind `--` in `--`. */
export type Parsed = Record<string, unknown>

/** The word among `candidates` that was probably meant. */
export function wordMeant(word: string, candidates: readonly string[]): string | null {
  // Swapped letters are the commonest slip, and too far off for a distance that counts changes.
  const letters = (text: string) => [...text].sort().join('')
  return mostSimilar(word, candidates) ?? candidates.find((candidate) => letters(candidate) === letters(word)) ?? null
}

/** @param where it stands, as in "after --kind" @throws MeantError */
export function checkChoice(where: string, word: string, choices: readonly string[]): void {
  if (choices.includes(word)) return
  const meant = wordMeant(word, choices)
  const hint = meant === null ? '' : `. Did you mean ${meant}?`
  throw new MeantError(`Expected ${choices.join(' or ')} ${where}, got "${word}"${hint}`)
}

interface WordCounts {
  /** How many words the name of the command has. */
  name?: number
  least?: number
  most?: number
  /** For the message when there are too few. */
  usage: string
}

/** The words behind the name of the command; behind `--` they may begin with a dash. @throws UsageError */
export function readWords(parsed: Parsed, { name = 1, least = 0, most = Number.POSITIVE_INFINITY, usage }: WordCounts): string[] {
  const own = ownWords(parsed, name)
  const words = [...own, ...((parsed['--'] as string[] | undefined) ?? [])]
  if (words.length < least) throw new UsageError(`Too few arguments. Expected: ${usage}`)
  if (words.length > most) throw new UsageError(`Unknown argument: ${words[most]}`)
  return words
}

/** The words before `--`. @throws UsageError */
export function ownWords({ _: words }: Parsed, name = 1): string[] {
  const own = (words as string[]).slice(name)
  const odd = own.find((word) => /^-./.test(word))
  if (odd !== undefined) throw new UsageError(`Unknown argument: ${odd}. A name that begins with a dash: ./${odd}`)
  return own
}

/** setTimeout knows no more: about 24 days. */
const SECONDS_MAX = 2_147_483

interface SecondsRange {
  max?: number
  /** 0 is no answer. */
  isAboveZero?: boolean
}

/** @returns milliseconds, `undefined` where the option is absent @throws UsageError */
export function readSeconds(
  option: string,
  text: unknown,
  { max = SECONDS_MAX, isAboveZero = false }: SecondsRange = {},
): number | undefined {
  if (text === undefined) return undefined
  const seconds = typeof text === 'string' && /^\+?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds <= max) || (isAboveZero && seconds === 0)) {
    const range = `${isAboveZero ? ' above 0' : ''}${seconds === 0 ? '' : `, at most ${max},`}`
    throw new UsageError(`Expected a number of seconds${range} after --${option}, got "${text}"`)
  }
  return seconds * 1000
}

interface NumberRange {
  min: number
  max: number
  byDefault: number
}

/** @throws UsageError for what is no whole number in that range */
export function readNumber(option: string, text: unknown, { min, max, byDefault }: NumberRange): number {
  if (text === undefined) return byDefault
  const number = /^\d+$/.test(text as string) ? Number(text) : Number.NaN
  if (number >= min && number <= max) return number
  throw new UsageError(`Expected a number from ${min} to ${max} after --${option}, got "${text}"`)
}

/** @throws UsageError */
export function readFileName(option: string, parsed: Parsed): string | undefined {
  return readText(`the name of a file after --${option}`, parsed[option])
}

/** Of what may be left out. @throws UsageError for an empty text */
export function readText(what: string, text: unknown): string | undefined {
  return text === undefined ? undefined : readRequiredText(what, text)
}

/** Of what is there. @throws UsageError for an empty text: a variable of a script that was not set, most likely */
export function readRequiredText(what: string, text: unknown): string {
  if (text === '') throw new UsageError(`Expected ${what}, got nothing`)
  assert(typeof text === 'string', what, text)
  return text
}
