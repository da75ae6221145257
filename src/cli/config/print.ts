/** What `locktester config` prints: the diagnostics, the settings, or the report of docs/schema/config.json. */

import { type Diagnostic, formatDiagnostic } from '../../config/diagnostics.js'
import type { LoadedConfig } from '../../config/load.js'
import type { Origin } from '../../config/settings.js'
import { printable } from '../../log/printable.js'
import { paint, writeError } from '../shared/output.js'
import { spell } from '../shared/spelling.js'

export const diagnosticLines = ({ diagnostics }: LoadedConfig): string[] => diagnostics.map(formatDiagnostic)

/** `lock-type=advisory      /etc/rstudio/file-locks:3`: the left column is a file-locks file again. */
export function settingLines({ file, settings, origins }: LoadedConfig): string[] {
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

/** What is said beside the lines. */
export function talk({ file, found, diagnostics }: LoadedConfig, action: 'check' | 'show'): void {
  const name = printable(file)
  if (!found) return writeError(`${name} does not exist: the defaults are in force.`)
  if (action === 'show') return
  const errors = diagnostics.filter(isError).length
  writeError(`${name}: ${count(errors, 'error')}, ${count(diagnostics.length - errors, 'warning')}`)
}

export const isError = ({ severity }: Diagnostic): boolean => severity === 'error'

export function reportOf({ file, found, settings, origins, diagnostics }: LoadedConfig, exitCode: number): object {
  return {
    version: 1,
    file,
    found,
    settings: spell(settings).map(({ setting, key, value }) => {
      const origin = origins[setting]
      return { key, value, line: origin === 'default' ? null : origin.line }
    }),
    diagnostics,
    exitCode,
  }
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
