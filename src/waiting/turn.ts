/** Whose turn it is: a process that has had a lock for a while stands back for those that wait for it. */

import type { NameWatch } from '../drivers/name-watch.js'

/** How an acquisition went. */
export interface Acquired {
  token: bigint | null
  /** Other processes were seen waiting. */
  isWaitedFor: boolean
  /** This one had to wait. */
  hadToWait: boolean
}

/** What one process knows of the turn at one lock. */
export interface Turn {
  /** Another process was seen to hold it: on another node, or on this one. */
  saw(nowMs: number, isFar: boolean): void
  acquired(nowMs: number, how: Acquired): void
  released(nowMs: number, token: bigint | null): void
  /** How long to leave the lock to others, in milliseconds, 0 most of the time: for a process that comes back to it. */
  leaveOnReturnMs(nowMs: number): number
  /** The same for a process that waits already. */
  leaveMs(nowMs: number): number
  /** This process leaves the lock to others from now on, for as long as it was told. */
  standsBack(nowMs: number): void
  /**
   * Tells the names that processes of this host change in the lock's directory, at least those of releases. One
   * listener at a time.
   */
  listen(path: string, onName: (name: string | null) => void): NameWatch | null
  close(): void
}
