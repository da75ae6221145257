/** From options and configuration file to the settings in force. */

import { resolve } from 'node:path'
import { formatDiagnostic } from '../config/diagnostics.js'
import { loadConfig } from '../config/load.js'
import { checkOptions, type Form, type Forms, OBJECT, oneOf, PATH, SWITCH, TEXT, wholeNumber } from '../config/options.js'
import { defaultSettings } from '../config/settings.js'
import { LOCK_TYPES } from '../config/values.js'
import { InvalidArgumentError } from '../errors.js'
import { warn } from '../log/talk.js'
import { LABEL_LENGTH_MAX, plainText, TIMEOUT_INTERVAL_MS_MAX } from '../protocol/record.js'
import type { AdvisoryKind, LockerOptions, LockerSettings, WorkbenchOptions } from '../types.js'

const REFRESH_RATE_MS_MIN = 100
/** Their clocks count whole seconds. */
const WORKBENCH_TIMEOUT_MS_MIN = 3000
const ADVISORY_KINDS: readonly AdvisoryKind[] = ['both', 'flock', 'fcntl']

const OPTIONS: Forms<LockerOptions> = {
  config: PATH,
  strict: SWITCH,
  lockType: oneOf(LOCK_TYPES),
  useSymlinks: SWITCH,
  advisoryKind: oneOf(ADVISORY_KINDS),
  workbench: either(SWITCH, OBJECT),
  refreshRateMs: wholeNumber(REFRESH_RATE_MS_MIN),
  timeoutIntervalMs: wholeNumber(1, TIMEOUT_INTERVAL_MS_MAX),
  label: TEXT,
  enableLogging: SWITCH,
  logFile: PATH,
}
const WORKBENCH_OPTIONS: Forms<WorkbenchOptions> = {
  advisory: SWITCH,
  timeoutIntervalMs: wholeNumber(WORKBENCH_TIMEOUT_MS_MIN, TIMEOUT_INTERVAL_MS_MAX),
}

function either(one: Form, other: Form): Form {
  return { isMet: (value) => one.isMet(value) || other.isMet(value), expected: `${one.expected}, or ${other.expected}` }
}

/** @throws InvalidArgumentError for an option, ConfigError for the file when `strict` */
export function lockerSettings(options: LockerOptions): LockerSettings {
  checkOptions<LockerOptions>('createLocker', options, OPTIONS)
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
  const given = workbench === true ? {} : workbench
  checkOptions<WorkbenchOptions>('createLocker', given, WORKBENCH_OPTIONS, 'workbench')
  const { advisory = true, timeoutIntervalMs = configuredMs } = given
  return { advisory, timeoutIntervalMs }
}

function configured(file: string, strict: boolean) {
  const { settings, diagnostics } = loadConfig({ file, strict })
  for (const diagnostic of diagnostics)
    warn(formatDiagnostic(diagnostic), { type: 'MountlockConfigWarning', code: diagnostic.code })
  return settings
}

/** What the options and the file say must go together. */
function check({ refreshRateMs, timeoutIntervalMs, workbench }: LockerSettings): void {
  if (timeoutIntervalMs <= refreshRateMs) {
    throw new InvalidArgumentError(
      `Expected \`timeoutIntervalMs\` to be more than \`refreshRateMs\` (${refreshRateMs}), got ${timeoutIntervalMs}`,
      'Leave room for two or three refreshes.',
    )
  }
  // It may be that of the file.
  if (workbench !== null) checkOptions<WorkbenchOptions>('createLocker', workbench, WORKBENCH_OPTIONS, 'workbench')
}
