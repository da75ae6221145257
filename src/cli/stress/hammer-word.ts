/** What a hammer says of its own accord, as it is believed: the checker and the counter take it as it comes. */

import type { StormEvent } from '../evidence/records.js'
import type { Question } from '../evidence/resource.js'
import { count, fields, number, oneOf, orNull, type Shape, text, token, truth } from '../remote/shapes.js'
import type { HammerWord } from './hammer.js'

/** There is one lock. */
const LOCK = 0
const lock: Shape<number> = (raw) => (count(raw) === LOCK ? LOCK : count(null))
const entry = { attempt: count, lock, atMs: number }
const held = { ...entry, token: orNull(token) }

const EVENTS: { readonly [Type in StormEvent['type']]?: Shape<object> } = {
  asked: fields(entry),
  acquired: fields(held),
  sure: fields(held),
  lost: fields({ ...held, how: oneOf('asserted', 'signal') }),
  releasing: fields(held),
  released: fields({ ...held, lost: truth }),
  failed: fields({ ...entry, code: text, message: text }),
}

const question = fields<Question>({ id: count, attempt: count, lock, token: orNull(token), written: orNull(count) })

/** @returns `null` for what no hammer says */
export function hammerWordOf(raw: unknown): HammerWord | null {
  if (raw === null || typeof raw !== 'object') return null
  try {
    if ('question' in raw) return { question: question(raw.question) }
    if (!('event' in raw)) return null
    const { type } = fields({ type: text })(raw.event)
    const shape = Object.hasOwn(EVENTS, type) ? EVENTS[type as StormEvent['type']] : undefined
    return shape === undefined ? null : { event: { ...shape(raw.event), type } as StormEvent }
  } catch {
    return null
  }
}
