/** Settings as a file-locks file spells them. */

import type { ConfigSettings } from '../../config/settings.js'

/** `null` where the file has no word for the value: the system log. */
export interface SpelledSetting {
  setting: keyof ConfigSettings
  key: string
  value: string | null
}

export function spell({ lockType, useSymlinks, enableLogging, logFile, ...intervals }: ConfigSettings): SpelledSetting[] {
  return [
    { setting: 'lockType', key: 'lock-type', value: lockType },
    { setting: 'useSymlinks', key: 'use-symlinks', value: String(Number(useSymlinks)) },
    { setting: 'refreshRateMs', key: 'refresh-rate', value: String(intervals.refreshRateMs / 1000) },
    { setting: 'timeoutIntervalMs', key: 'timeout-interval', value: String(intervals.timeoutIntervalMs / 1000) },
    { setting: 'enableLogging', key: 'enable-logging', value: String(Number(enableLogging)) },
    { setting: 'logFile', key: 'log-file', value: logFile },
  ]
}

export function spellIntervals(settings: Pick<ConfigSettings, 'refreshRateMs' | 'timeoutIntervalMs'>): string {
  return `refresh-rate=${settings.refreshRateMs / 1000} and timeout-interval=${settings.timeoutIntervalMs / 1000}`
}
