/** What an agent and its workers may answer to each question, and nothing else. */

import type { MountProfile } from '../shared/mounts.js'
import type { NodeFacts } from '../shared/node-facts.js'
import { count, either, fields, list, nothing, number, oneOf, orNull, type Shape, text, token, truth, whole } from './shapes.js'

export interface Facts extends NodeFacts {
  pid: number
  nodeVersion: string
}

const mount = fields<MountProfile>({
  type: text,
  source: text,
  mountPoint: text,
  options: list(text),
  reach: oneOf('shared', 'local', 'unknown'),
})

const outcome = either(
  fields({ outcome: oneOf('acquired'), token: orNull(token) }),
  fields({ outcome: oneOf('busy'), heldBy: orNull(text) }),
)

/** Of an agent. */
export const AGENT_ANSWERS = {
  hello: fields<Facts>({
    host: text,
    bootId: orNull(text),
    container: orNull(text),
    uid: whole,
    user: orNull(text),
    pid: count,
    nodeVersion: text,
  }),
  clock: number,
  start: fields({ worker: count, pid: count }),
  enter: fields({ mount: orNull(mount), isThere: truth }),
  mark: nothing,
  sees: orNull(number),
  stop: nothing,
  continue: nothing,
  kill: nothing,
} as const satisfies Record<string, Shape<unknown>>

/** Of a worker, by way of its agent. */
export const WORKER_ANSWERS = {
  open: nothing,
  try: outcome,
  acquire: outcome,
  held: fields({ held: truth, lost: orNull(text) }),
  look: nothing,
  release: fields({ lost: orNull(text) }),
  begin: nothing,
  answer: nothing,
  finish: nothing,
} as const satisfies Record<string, Shape<unknown>>
