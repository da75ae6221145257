/** What a `file-locks` file can say, and what holds where it says nothing. */

import type { LockType } from '../types.js'

/** What a `file-locks` file sets. */
export interface ConfigSettings {
  /** `lock-type`. */
  lockType: LockType
  /** `use-symlinks`. */
  useSymlinks: boolean
  /** `refresh-rate`, in milliseconds. */
  refreshRateMs: number
  /** `timeout-interval`, in milliseconds. */
  timeoutIntervalMs: number
  /** `enable-logging`. */
  enableLogging: boolean
  /** `log-file`: an absolute path; `null` means the system log. */
  logFile: string | null
}

/** Where the value of a setting comes from: a line of the file, counted from 1, or the defaults. */
export type Origin = { line: number } | 'default'

/** Where each setting comes from. */
export type Origins = Record<keyof ConfigSettings, Origin>

/** Fresh objects on each call, for the callers fill them in. @internal */
export function defaultSettings(): ConfigSettings {
  return {
    lockType: 'linkbased',
    useSymlinks: false,
    refreshRateMs: 20_000,
    timeoutIntervalMs: 30_000,
    enableLogging: false,
    logFile: null,
  }
}

/** @internal */
export function defaultOrigins(): Origins {
  return {
    lockType: 'default',
    useSymlinks: 'default',
    refreshRateMs: 'default',
    timeoutIntervalMs: 'default',
    enableLogging: 'default',
    logFile: 'default',
  }
}
