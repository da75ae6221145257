/** From options and configuration file to the settings in force. */

import { resolve } from 'node:path'
import { formatDiagnostic } from '../config/diagnostics.js'
import { refuseUnknownOptions } from '../config/known-options.js'
import { loadConfig } from '../config/load.js'
import { defaultSettings } from '../config/settings.js'
import { LOCK_TYPES } from '../config/values.js'
import { InvalidArgumentError } from '../errors.js'
import { warn } from '../log/talk.js'
import { LABEL_LENGTH_MAX, plainText, TIMEOUT_INTERVAL_MS_MAX } from '../protocol/record.js'
import type { AdvisoryKind, LockerOptions, LockerSettings } from '../types.js'

const REFRESH_RATE_MS_MIN = 100
/** Their clocks count whole seconds. */
const WORKBENCH_TIMEOUT_MS_MIN = 3000
const ADVISORY_KINDS: readonly AdvisoryKind[] = ['both', 'flock', 'fcntl']
const OPTIONS = Object.keys({
  config: true,
  strict: true,
  lockType: true,
  useSymlinks: true,
  advisoryKind: true,
  workbench: true,
  refreshRateMs: true,
  timeoutIntervalMs: true,
  label: true,
  enableLogging: true,
  logFile: true,
} satisfies Record<keyof LockerOptions, true>)

/** @throws InvalidArgumentError for an option, ConfigError for the file when `strict` */
export function lockerSettings(options: LockerOptions): LockerSettings {
  refuseUnknownOptions('createLocker', options, OPTIONS)
  const file = options.config === undefined ? defaultSettings() : configured(options.config, options.strict ?? false)
  const logFile = options.logFile === undefined ? file.logFile : resolve(options.logFile)
  const workbench = workbenchOf(options, file.timeoutIntervalMs)
  const settings: LockerSettings = {
    // What Workbench does not see of such a lock is always link-based.
    lockType: workbench === null ? (options.lockType ?? file.lockType) : 'linkbased',
    useSymlinks: options.useSymlinks ?? file.useSymlinks,
    advisoryKind: options.advisoryKind ?? 'both',
    workbench,
    refreshRateMs: options.refreshRateMs ?? file.refreshRateMs,
    timeoutIntervalMs: options.timeoutIntervalMs ?? file.timeoutIntervalMs,
    label: plainText(options.label ?? '', LABEL_LENGTH_MAX),
    enableLogging: options.enableLogging ?? file.enableLogging,
    logFile,
  }
  check(settings)
  return settings
}

/** What their own `file-locks` says holds for their locks; the defaults of ours are the same. */
function workbenchOf({ workbench = false }: LockerOptions, configuredMs: number): LockerSettings['workbench'] {
  if (workbench === false) return null
  const { advisory = true, timeoutIntervalMs = configuredMs, ...rest } = workbench === true ? {} : workbench
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) refuse(`\`workbench\` to have some of advisory, timeoutIntervalMs, got \`${unknown}\``)
  if (typeof advisory !== 'boolean') refuse(`\`workbench.advisory\` to be true or false, got ${JSON.stringify(advisory)}`)
  const { min, max } = { min: WORKBENCH_TIMEOUT_MS_MIN, max: TIMEOUT_INTERVAL_MS_MAX }
  if (!Number.isInteger(timeoutIntervalMs) || timeoutIntervalMs < min || timeoutIntervalMs > max)
    refuse(`\`workbench.timeoutIntervalMs\` to be a whole number from ${min} to ${max}, got ${timeoutIntervalMs}`)
  return { advisory, timeoutIntervalMs }
}

function configured(file: string, strict: boolean) {
  const { settings, diagnostics } = loadConfig({ file, strict })
  for (const diagnostic of diagnostics)
    warn(formatDiagnostic(diagnostic), { type: 'MountlockConfigWarning', code: diagnostic.code })
  return settings
}

function check({ lockType, advisoryKind, refreshRateMs, timeoutIntervalMs }: LockerSettings): void {
  if (!LOCK_TYPES.includes(lockType))
    refuse(`\`lockType\` to be one of ${LOCK_TYPES.join(', ')}, got ${JSON.stringify(lockType)}`)
  if (!ADVISORY_KINDS.includes(advisoryKind))
    refuse(`\`advisoryKind\` to be 'both', 'flock' or 'fcntl', got ${JSON.stringify(advisoryKind)}`)
  if (!Number.isInteger(refreshRateMs) || refreshRateMs < REFRESH_RATE_MS_MIN) {
    refuse(`\`refreshRateMs\` to be a whole number of at least ${REFRESH_RATE_MS_MIN}, got ${refreshRateMs}`)
  }
  if (!Number.isInteger(timeoutIntervalMs) || timeoutIntervalMs > TIMEOUT_INTERVAL_MS_MAX) {
    refuse(`\`timeoutIntervalMs\` to be a whole number of at most ${TIMEOUT_INTERVAL_MS_MAX} (a day), got ${timeoutIntervalMs}`)
  }
  if (timeoutIntervalMs <= refreshRateMs) {
    refuse(
      `\`timeoutIntervalMs\` to be more than \`refreshRateMs\` (${refreshRateMs}), got ${timeoutIntervalMs}`,
      'Leave room for two or three refreshes.',
    )
  }
}

function refuse(expectation: string, advice = 'Correct the options of createLocker.'): never {
  throw new InvalidArgumentError(`Expected ${expectation}`, advice)
}
