/** `locktester config check` and `locktester config show`: nothing but what the parser says, in words. */

import { formatDiagnostic } from '../../config/diagnostics.js'
import { type LoadedConfig, loadConfig } from '../../config/load.js'
import type { ConfigSettings, Origin } from '../../config/settings.js'
import { printable } from '../../log/printable.js'
import { UsageError } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { paint, writeError, writeErrorDiagnostics, writeJson, writeOut } from '../print.js'
import type { ConfigOptions } from './options.js'

/** As the file spells each setting. */
const KEYS: Record<keyof ConfigSettings, string> = {
  lockType: 'lock-type',
  useSymlinks: 'use-symlinks',
  refreshRateMs: 'refresh-rate',
  timeoutIntervalMs: 'timeout-interval',
  enableLogging: 'enable-logging',
  logFile: 'log-file',
}

/** The diagnostics are what was asked for, so they are data. */
export async function checkConfig({ file, json }: ConfigOptions): Promise<void> {
  const loaded = load(file)
  if (json) writeJson(reportOf(loaded))
  else for (const diagnostic of loaded.diagnostics) writeOut(formatDiagnostic(diagnostic))
  const errors = loaded.diagnostics.filter(({ severity }) => severity === 'error').length
  const warnings = loaded.diagnostics.length - errors
  if (!loaded.found) writeError(`${printable(loaded.file)} does not exist: the defaults are in force.`)
  else writeError(`${printable(loaded.file)}: ${count(errors, 'error')}, ${count(warnings, 'warning')}`)
  process.exitCode = exitCodeOf(loaded)
}

export async function showConfig({ file, json }: ConfigOptions): Promise<void> {
  const loaded = load(file)
  writeErrorDiagnostics(loaded.diagnostics)
  if (json) writeJson(reportOf(loaded))
  else for (const line of settingLines(loaded)) writeOut(line)
  if (!loaded.found) writeError(`${printable(loaded.file)} does not exist: the defaults are in force.`)
  process.exitCode = exitCodeOf(loaded)
}

/** No file is no fault, unless it was asked for by name. @throws UsageError */
function load(file: string | undefined): LoadedConfig {
  const loaded = loadConfig({ file })
  if (file !== undefined && !loaded.found) throw new UsageError(`There is no such file: ${printable(file)}`)
  return loaded
}

function exitCodeOf({ diagnostics }: LoadedConfig): number {
  return diagnostics.some(({ severity }) => severity === 'error') ? EXIT.configuration : EXIT.ok
}

/** `lock-type=advisory      /etc/rstudio/file-locks:3`: the left column is a file-locks file again. */
function settingLines({ file, settings, origins }: LoadedConfig): string[] {
  const rows = settingsOf(settings).map(([setting, key, value]) => ({
    text: value === null ? `# ${key}=` : `${key}=${printable(value)}`,
    origin: originOf(file, origins[setting]),
  }))
  const width = Math.max(...rows.map(({ text }) => text.length))
  return rows.map(({ text, origin }) => `${text.padEnd(width)}  ${paint('gray', origin, process.stdout)}`)
}

function originOf(file: string, origin: Origin): string {
  return origin === 'default' ? 'default' : `${printable(file)}:${origin.line}`
}

/** In the words of the file; `null` where the file has none for it: the system log. */
function settingsOf(settings: ConfigSettings): [keyof ConfigSettings, key: string, value: string | null][] {
  const values: Record<keyof ConfigSettings, string | null> = {
    lockType: settings.lockType,
    useSymlinks: String(Number(settings.useSymlinks)),
    refreshRateMs: String(settings.refreshRateMs / 1000),
    timeoutIntervalMs: String(settings.timeoutIntervalMs / 1000),
    enableLogging: String(Number(settings.enableLogging)),
    logFile: settings.logFile,
  }
  return (Object.keys(KEYS) as (keyof ConfigSettings)[]).map((setting) => [setting, KEYS[setting], values[setting]])
}

/** See docs/schema/config.json. */
function reportOf({ file, found, settings, origins, diagnostics }: LoadedConfig): object {
  return {
    version: 1,
    file,
    found,
    settings: settingsOf(settings).map(([setting, key, value]) => {
      const origin = origins[setting]
      return { key, value, line: origin === 'default' ? null : origin.line }
    }),
    diagnostics,
    exitCode: exitCodeOf({ diagnostics } as LoadedConfig),
  }
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
