/**
 * What processes that went for locks leave behind for the checker: the log of each, and the books of the fenced resource.
 * All times are milliseconds of the monotonic clock of the machine that judges. Of a process elsewhere they are known within
 * bounds only, and the checker takes of these whichever proves less.
 */

interface Entry {
  /** `atMs` may be wrong by so much, either way. @default 0 */
  slackMs?: number
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

/** One process. */
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
  /** `null`: by a lock that has none. */
  token: Token
  /** `null`: a read. */
  written: number | null
  accepted: boolean
}

export interface Evidence {
  hasTokens: boolean
  processes: ProcessLog[]
  resource: ResourceRequest[]
}
