/** One event, one line of the log: the time, then `key=value` pairs in a fixed order, values quoted where they need it. */

import { inspect } from 'node:util'
import { isoTime } from '../drivers/clock.js'
import type { LockEvent } from './events.js'
import { quote } from './printable.js'

/** Together they keep a line below the 8 KiB that system log daemons take for one message, whatever the letters. */
const PATH_CHARACTERS_MAX = 1700
const TEXT_CHARACTERS_MAX = 300
const WORD_CHARACTERS_MAX = 64

/** These need no quotes and cannot be mistaken for anything else. */
const PLAIN = /^[\w./:@%+,~-]+$/

/** Ends with a newline, and has no other. */
export function formatLine(event: LockEvent, host: string): string {
  const fields = [
    isoTime(),
    `pid=${process.pid}`,
    `host=${value(host, WORD_CHARACTERS_MAX)}`,
    `type=${value(event.lockType, WORD_CHARACTERS_MAX)}`,
    `event=${value(event.event, WORD_CHARACTERS_MAX)}`,
    `path=${value(event.path, PATH_CHARACTERS_MAX)}`,
    `outcome=${value(event.outcome, WORD_CHARACTERS_MAX)}`,
  ]
  if (event.token !== undefined && event.token !== null) fields.push(`token=${event.token}`)
  if (event.detail !== undefined) fields.push(`detail=${value(event.detail, TEXT_CHARACTERS_MAX)}`)
  if (event.error !== undefined) fields.push(`error=${value(describe(event.error), TEXT_CHARACTERS_MAX)}`)
  return `${fields.join(' ')}\n`
}

/** What stands in the log for lines that could not be written. */
export function formatLoss(lines: number, host: string): string {
  const where = `pid=${process.pid} host=${value(host, WORD_CHARACTERS_MAX)}`
  return `${isoTime()} ${where} event=log outcome=dropped detail="${lines} lines could not be written"\n`
}

function value(text: string, charactersMax: number): string {
  return PLAIN.test(text) && text.length <= charactersMax ? text : quote(text, charactersMax)
}

function describe(error: unknown): string {
  // Anything can be thrown, and an AbortSignal can have anything for its reason.
  if (!(error instanceof Error)) return typeof error === 'string' ? error : inspect(error, { depth: 0 })
  const { code } = error as NodeJS.ErrnoException
  const message = String(error.message)
  return typeof code !== 'string' || message.startsWith(code) ? message : `${code}: ${message}`
}
