/** `locktester config check` and `locktester config show`: nothing but what the parser says. */

import { loadNamedConfig } from '../shared/settings.js'
import { EXIT } from '../shared/exit-codes.js'
import { writeErrorDiagnostics, writeJson, writeOut } from '../shared/output.js'
import { diagnosticLines, isError, reportOf, settingLines, talk } from './print.js'

export interface ConfigOptions {
  action: 'check' | 'show'
  /** `undefined`: the one that the environment chooses. */
  file: string | undefined
  json: boolean
}

/** Of `check` the diagnostics are what was asked for, so they are data; of `show` it is the settings. */
export async function runConfig({ action, file, json }: ConfigOptions): Promise<void> {
  const loaded = loadNamedConfig(file)
  const exitCode = loaded.diagnostics.some(isError) ? EXIT.configuration : EXIT.ok
  if (action === 'show') writeErrorDiagnostics(loaded.diagnostics)
  if (json) writeJson(reportOf(loaded, exitCode))
  else for (const line of action === 'check' ? diagnosticLines(loaded) : settingLines(loaded)) writeOut(line)
  talk(loaded, action)
  process.exitCode = exitCode
}
