/** `locktester config check` and `locktester config show`: nothing but what the parser says, in words. */

import { type Diagnostic, formatDiagnostic } from '../../config/diagnostics.js'
import { type LoadedConfig, loadConfig } from '../../config/load.js'
import type { Origin } from '../../config/settings.js'
import { printable } from '../../log/printable.js'
import { UsageError } from '../shared/usage.js'
import { EXIT } from '../shared/exit-codes.js'
import { paint, writeError, writeErrorDiagnostics, writeJson, writeOut } from '../shared/output.js'
import { spell } from '../shared/spelling.js'

export interface ConfigOptions {
  action: 'check' | 'show'
  /** `undefined`: the one that the environment chooses. */
  file: string | undefined
  json: boolean
}

/** Of `check` the diagnostics are what was asked for, so they are data; of `show` it is the settings. */
export async function runConfig({ action, file, json }: ConfigOptions): Promise<void> {
  const loaded = load(file)
  const { diagnostics, found } = loaded
  const isCheck = action === 'check'
  if (!isCheck) writeErrorDiagnostics(diagnostics)
  if (json) writeJson(reportOf(loaded))
  else for (const line of isCheck ? diagnostics.map(formatDiagnostic) : settingLines(loaded)) writeOut(line)
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  const name = printable(loaded.file)
  if (!found) writeError(`${name} does not exist: the defaults are in force.`)
  else if (isCheck) writeError(`${name}: ${count(errors, 'error')}, ${count(diagnostics.length - errors, 'warning')}`)
  process.exitCode = exitCodeOf(diagnostics)
}

/** No file is no fault, unless it was asked for by name. @throws UsageError */
function load(file: string | undefined): LoadedConfig {
  const loaded = loadConfig({ file })
  if (file !== undefined && !loaded.found) throw new UsageError(`There is no such file: ${printable(file)}`)
  return loaded
}

function exitCodeOf(diagnostics: readonly Diagnostic[]): number {
  return diagnostics.some(({ severity }) => severity === 'error') ? EXIT.configuration : EXIT.ok
}

/** `lock-type=advisory      /etc/rstudio/file-locks:3`: the left column is a file-locks file again. */
function settingLines({ file, settings, origins }: LoadedConfig): string[] {
  const rows = spell(settings).map(({ setting, key, value }) => ({
    text: value === null ? `# ${key}=` : `${key}=${printable(value)}`,
    origin: originOf(file, origins[setting]),
  }))
  const width = Math.max(...rows.map(({ text }) => text.length))
  return rows.map(({ text, origin }) => `${text.padEnd(width)}  ${paint('gray', origin, process.stdout)}`)
}

function originOf(file: string, origin: Origin): string {
  return origin === 'default' ? 'default' : `${printable(file)}:${origin.line}`
}

/** See docs/schema/config.json. */
function reportOf({ file, found, settings, origins, diagnostics }: LoadedConfig): object {
  return {
    version: 1,
    file,
    found,
    settings: spell(settings).map(({ setting, key, value }) => {
      const origin = origins[setting]
      return { key, value, line: origin === 'default' ? null : origin.line }
    }),
    diagnostics,
    exitCode: exitCodeOf(diagnostics),
  }
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
