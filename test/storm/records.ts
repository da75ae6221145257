/**
 * What a storm leaves behind for the checker: the log of each process, one JSON object per line, and the books of the
 * fenced resource. All times are milliseconds of this machine's monotonic clock, which no process of the storm fakes and
 * which is the same in every namespace, so that times of different processes may be compared.
 */

import { readFileSync } from 'node:fs'

interface Entry {
  /** Counts the attempts of one process; everything that belongs to one attempt has the same number. */
  attempt: number
  lock: number
  atMs: number
}

/** A fencing token in decimals; `null` for locks that have none. */
export type Token = string | null

export type StormEvent =
  | (Entry & { type: 'asked' })
  /** The acquisition had resolved by then. */
  | (Entry & { type: 'acquired'; token: Token })
  /** `assertHeld()` passed at this time or later: the clock was read before it was called. */
  | (Entry & { type: 'sure'; token: Token })
  /** The counter file, read and written under the lock: where no fencing token protects, the lock alone must. */
  | (Entry & { type: 'read'; value: number })
  | (Entry & { type: 'writing'; value: number })
  | (Entry & { type: 'wrote'; value: number })
  /** The loss was declared: by `assertHeld()`, or by the lock's signal. */
  | (Entry & { type: 'lost'; token: Token; how: 'asserted' | 'signal' })
  /** Right before `release()` is called. */
  | (Entry & { type: 'releasing'; token: Token })
  | (Entry & { type: 'released'; token: Token; lost: boolean })
  | (Entry & { type: 'failed'; code: string; message: string })

/** One process of the storm. */
export interface ProcessLog {
  name: string
  events: StormEvent[]
}

/** One question to the fenced resource, in the order in which it took them. */
export interface ResourceRequest {
  atMs: number
  process: string
  attempt: number
  lock: number
  token: string
  /** `null`: a read. */
  written: number | null
  accepted: boolean
}

export interface Evidence {
  hasTokens: boolean
  processes: ProcessLog[]
  resource: ResourceRequest[]
}

/** A process that was killed in the middle of a write leaves half a line, at the end and nowhere else. */
export function readLog(file: string, name: string): ProcessLog {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { name, events: [] } // killed before its first line
    throw error
  }
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const events = whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StormEvent)
  return { name, events }
}
