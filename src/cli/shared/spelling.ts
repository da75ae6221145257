/** Settings as a file-locks file spells them. */

import type { ConfigSettings } from '../../config/settings.js'

/** `null` where the file has no word for the value: the system log. */
export interface SpelledSetting {
  setting: keyof ConfigSettings
  key: string
  value: string | null
}

type Spelling<Setting extends keyof ConfigSettings> = (value: ConfigSettings[Setting]) => string | null

const asSwitch = (isOn: boolean) => (isOn ? '1' : '0')
const asSeconds = (ms: number) => String(ms / 1000)
const asIs = (text: string | null) => text

/** In the order of `docs/library.md`. A setting that is missing here is a type error. */
const SPELLINGS: { [Setting in keyof ConfigSettings]: { key: string; spell: Spelling<Setting> } } = {
  lockType: { key: 'lock-type', spell: asIs },
  useSymlinks: { key: 'use-symlinks', spell: asSwitch },
  refreshRateMs: { key: 'refresh-rate', spell: asSeconds },
  timeoutIntervalMs: { key: 'timeout-interval', spell: asSeconds },
  enableLogging: { key: 'enable-logging', spell: asSwitch },
  logFile: { key: 'log-file', spell: asIs },
}
const SETTINGS = Object.keys(SPELLINGS) as (keyof ConfigSettings)[]

export function spell(settings: ConfigSettings): SpelledSetting[] {
  const spelled = <Setting extends keyof ConfigSettings>(setting: Setting): SpelledSetting => {
    const { key, spell } = SPELLINGS[setting]
    return { setting, key, value: spell(settings[setting]) }
  }
  return SETTINGS.map(spelled)
}

export function spellIntervals(settings: Pick<ConfigSettings, 'refreshRateMs' | 'timeoutIntervalMs'>): string {
  return `refresh-rate=${settings.refreshRateMs / 1000} and timeout-interval=${settings.timeoutIntervalMs / 1000}`
}
