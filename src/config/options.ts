/**
 * The options of a call, checked in one place: what each may be stands in a table. One that a call does not know is refused as
 * well: one that is misspelled, or another library's, would be ignored in silence.
 */

import { describe } from '../assert.js'
import { InvalidArgumentError } from '../errors.js'
import { mostSimilar } from './similar.js'

/** What an option may be. */
export interface Form {
  isMet(value: unknown): boolean
  /** Completes the sentence "Expected `option` to be …". */
  expected: string
}

/** A form for each option of a call. */
export type Forms<Options> = { readonly [Option in keyof Options]-?: Form }

export const SWITCH: Form = { isMet: (value) => typeof value === 'boolean', expected: 'true or false' }
export const TEXT: Form = { isMet: (value) => typeof value === 'string', expected: 'a string' }
/** An empty one would name the current directory: a variable that was not set, most likely. */
export const PATH: Form = {
  isMet: (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  expected: 'a non-empty string without NUL',
}
export const OBJECT: Form = { isMet: isObject, expected: 'an object' }
/** What listens to one asks for these three, and it may be of another realm. */
export const SIGNAL: Form = {
  isMet: (value) =>
    isObject(value) &&
    typeof value.aborted === 'boolean' &&
    typeof value.addEventListener === 'function' &&
    typeof value.removeEventListener === 'function',
  expected: 'an AbortSignal',
}

export const oneOf = (words: readonly string[]): Form => ({
  isMet: (value) => words.includes(value as string),
  expected: `one of ${words.map((word) => `'${word}'`).join(', ')}`,
})

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Form {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return {
    isMet: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    expected: `a whole number ${range}`,
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * @param part the option of that call that these are parts of
 * @throws InvalidArgumentError, which names the option, what came and what was expected; or the option that was probably meant
 */
export function checkOptions<Options extends object>(
  call: string,
  options: unknown,
  forms: Forms<Options>,
  part?: string,
): asserts options is Options {
  if (!isObject(options)) throw unexpected(`the options of \`${call}\``, OBJECT, options)
  for (const option in options) {
    if (!Object.hasOwn(forms, option)) throw unknown(part ?? call, option, Object.keys(forms))
    const form = forms[option as keyof Options]
    const value = options[option]
    if (value !== undefined && !form.isMet(value))
      throw unexpected(
        `\`${part === undefined ? option : `${part}.${option}`}\``,
        form,
        value,
        `Correct the options of \`${call}\`.`,
      )
  }
}

/** @param what the argument, as in "the work of `withLock`" @throws InvalidArgumentError */
export function checkArgument(what: string, form: Form, value: unknown): void {
  if (!form.isMet(value)) throw unexpected(what, form, value)
}

const unexpected = (what: string, { expected }: Form, value: unknown, advice = 'Correct the call.') =>
  new InvalidArgumentError(`Expected ${what} to be ${expected}, got ${describe(value)}`, advice)

/** What other libraries call it. Several words for one thing are nearer to what the caller means than to what was written. */
const ELSEWHERE: Record<string, string> = {
  maxWait: 'waitMs',
  pollInterval: 'waitMs',
  retries: 'waitMs',
  timeout: 'waitMs',
  timeoutMs: 'waitMs',
  wait: 'waitMs',
  abortSignal: 'signal',
  exclusive: 'shared',
  readOnly: 'shared',
  stale: 'timeoutIntervalMs',
  staleMs: 'timeoutIntervalMs',
  ttl: 'timeoutIntervalMs',
  heartbeat: 'refreshRateMs',
  update: 'refreshRateMs',
  kind: 'lockType',
  type: 'lockType',
  path: 'file',
}

function unknown(call: string, option: string, known: readonly string[]): InvalidArgumentError {
  const meant = meantBy(option, known)
  const hint = meant === null ? '' : `; did you mean ${meant}?`
  return new InvalidArgumentError(`\`${call}\` has no option \`${option}\`${hint}`, `It has: ${known.join(', ')}.`)
}

function meantBy(option: string, known: readonly string[]): string | null {
  const elsewhere = Object.hasOwn(ELSEWHERE, option) ? ELSEWHERE[option] : undefined
  return elsewhere !== undefined && known.includes(elsewhere) ? elsewhere : mostSimilar(option, known)
}
