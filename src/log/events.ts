/** What the locks report of themselves: the one shape that goes to the log and to `node:diagnostics_channel`. */

import type { LockType } from '../types.js'

export type LockEventName = 'acquire' | 'wait' | 'release' | 'refresh' | 'lost' | 'reap'

export interface LockEvent {
  event: LockEventName
  /** The lock path, or the directory for a reap or a refresh. */
  path: string
  lockType: LockType
  /** One word: `acquired`, `busy`, `failed`, `timeout`, `aborted`, `released`, `lost`, `reaped`, … */
  outcome: string
  token?: bigint | null
  /** More words for people, such as the name of the holder. */
  detail?: string
  error?: unknown
}
