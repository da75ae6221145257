/** One reader for each kind of value: text in, value or problem out. */

import { isAbsolute } from 'node:path'
import { TIMEOUT_INTERVAL_MS_MAX } from '../protocol/record.js'
import type { LockType } from '../types.js'
import type { DiagnosticCode } from './diagnostics.js'

export interface Problem {
  code: DiagnosticCode
  /** Completes the sentence "expected …". */
  expected: string
}

export type Reading<T> = { value: T } | { problem: Problem }

export const LOCK_TYPES: readonly LockType[] = [
  'linkbased', // the default comes first
  'advisory',
  'renamebased', // our addition: Workbench does not know it
]

/** As far as a locker goes. */
const SECONDS_MAX = TIMEOUT_INTERVAL_MS_MAX / 1000

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** Control characters, halves of surrogate pairs, and what the decoder puts in the place of bytes that are not UTF-8. */
const BAD_CHARACTER = /[\p{Cc}\p{Cs}\uFFFD]/u

/** Workbench itself writes its values between double quotes, with the escapes of JSON, and takes them off when it reads. */
export function readText(raw: string): Reading<string> {
  if (BAD_CHARACTER.test(raw)) return bad('BAD_CHARACTER', 'printable UTF-8 text')
  if (!(raw.length >= 2 && raw.startsWith('"') && raw.endsWith('"'))) return { value: raw }
  const text = unquote(raw)
  if (text === null) return bad('BAD_VALUE', 'a text between double quotes with the escapes of JSON')
  if (BAD_CHARACTER.test(text)) return bad('BAD_CHARACTER', 'printable UTF-8 text')
  return { value: text }
}

function unquote(raw: string): string | null {
  try {
    return JSON.parse(raw) as string
  } catch {
    return null
  }
}

export function readLockType(text: string): Reading<LockType> {
  const value = LOCK_TYPES.find((type) => type === text.toLowerCase())
  return value === undefined ? bad('BAD_VALUE', oneOf(LOCK_TYPES)) : { value }
}

const oneOf = (words: readonly string[]) => `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`

/** Only 0 and 1: Workbench does not understand true or yes either. */
export function readSwitch(text: string): Reading<boolean> {
  return text === '0' || text === '1' ? { value: text === '1' } : bad('BAD_VALUE', '0 or 1')
}

/** Seconds in, milliseconds out. */
export function readSeconds(text: string): Reading<number> {
  const seconds = NUMBER.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(seconds)) return bad('BAD_VALUE', 'a number of seconds, such as 20 or 1.5')
  if (seconds < 1 || seconds > SECONDS_MAX) return bad('OUT_OF_RANGE', `a number of seconds from 1 to ${SECONDS_MAX}`)
  return { value: Math.round(seconds * 1000) }
}

/** An absolute path: a relative one would name another file for each process. */
export function readPath(text: string): Reading<string> {
  return isAbsolute(text) ? { value: text } : bad('RELATIVE_PATH', 'an absolute path')
}

function bad(code: DiagnosticCode, expected: string): { problem: Problem } {
  return { problem: { code, expected } }
}
