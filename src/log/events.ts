/** What the locks report of themselves: the one shape that goes to the log and to `node:diagnostics_channel`. */

import type { LockType } from '../types.js'

/** What has happened to a lock. */
export type LockEventName = 'acquire' | 'wait' | 'release' | 'refresh' | 'lost' | 'reap'

/** The diagnostics channel of each event: `diagnostics_channel.subscribe('mountlock:acquire', (event) => …)`. */
export type ChannelName = `mountlock:${LockEventName}`

/** How it ended: docs/events.md tells which outcomes each event can have. */
export type LockOutcome =
  'acquired' | 'busy' | 'timeout' | 'aborted' | 'failed' | 'released' | 'lost' | 'taken-over' | 'reaped' | 'terminating'

/** What subscribers of a {@link ChannelName} get, and what a line of the log is made of. */
export interface LockEvent {
  /** What has happened. */
  event: LockEventName
  /** The lock path, or the directory for a reap or a refresh. */
  path: string
  /** The lock type of the locker that tells. */
  lockType: LockType
  /** How it ended, in one word. */
  outcome: LockOutcome
  /** The fencing token, where the event has one. */
  token?: bigint | null
  /** More words for people, such as the name of the holder. */
  detail?: string
  /** What was thrown, where the outcome is `failed`, `timeout` or `aborted`. */
  error?: unknown
}
