/** What `locktester run` and its keeper say to each other. */

import type { LockerOptions } from '../../types.js'

/** The place of the leash among the keeper's descriptors; below are the standard ones and the connection to `locktester run`. */
export const LEASH = 4

/** What happens to the command when the lock is lost. */
export type OnLoss = 'terminate' | 'ignore'

export interface KeepOrder {
  /** Absolute. */
  path: string
  /** All that Workbench locks at and below these paths is kept, instead of one lock. */
  workbench: readonly string[] | null
  locker: LockerOptions
  shared: boolean
  /** `null`: without end. */
  waitMs: number | null
  onLoss: OnLoss
  killAfterMs: number
  /** What /proc/PID/fd shows for the leash in the hands of the command; `null` where there is no /proc. */
  leash: string | null
}

/** What the keeper holds. */
export interface Kept {
  token: string | null
  paths: readonly string[]
}

export type ToKeeper =
  | { kind: 'keep'; order: KeepOrder }
  /** Not wanted any more: a signal came while it waited. */
  | { kind: 'abort' }
  | { kind: 'started'; pid: number }
  /** The command has ended, and the leash is let go of. */
  | { kind: 'ended' }

export type FromKeeper =
  | { kind: 'waiting'; path: string; holder: string | undefined }
  | ({ kind: 'held' } & Kept)
  | { kind: 'failed'; failure: Failure }
  | { kind: 'lost'; message: string }
  /** For the command: it came to the keeper, which is the process that is shown as the holder. */
  | { kind: 'signal'; signal: NodeJS.Signals }
  /**
   * All that can be done about processes that go on without the lock has been done, if it was lost. Other processes still
   * hold the leash, and the keeper goes on.
   */
  | { kind: 'kept' }
  /** `lost`: it had been lost before, though nothing told of it. `isClean`: the file system answered in time. */
  | { kind: 'released'; lost: boolean; isClean: boolean }

/** An error, as it crosses from one process to another. `code`: UNEXPECTED for a defect, REFUSED for what the machine refused. */
export interface Failure {
  code: string
  message: string
  advice: string
  path: string | null
}
