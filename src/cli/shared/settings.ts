/** From the configuration file to the options of a locker, and what is said of a file that has errors. */

import type { LoadedConfig } from '../../config/load.js'
import type { ConfigSettings } from '../../config/settings.js'
import { printable } from '../../log/printable.js'
import type { LockerOptions } from '../../types.js'
import { EXIT } from './exit-codes.js'
import { paint, writeError, writeErrorDiagnostics } from './output.js'

/** All but the lock type, which the commands choose for themselves. */
export function commonOptions({ logFile, lockType: _, ...rest }: ConfigSettings): LockerOptions {
  return { ...rest, ...(logFile === null ? {} : { logFile }) }
}

/**
 * Says what is wrong with the file. Nodes that read the same file differently would not exclude each other, so with errors
 * nothing is done. @returns the exit code then, `null` where all is well
 */
export function refuseErrors({ file, diagnostics }: LoadedConfig): number | null {
  writeErrorDiagnostics(diagnostics)
  if (!diagnostics.some(({ severity }) => severity === 'error')) return null
  writeError(`${paint('red', 'error:')} ${configurationErrors(file)}`)
  return EXIT.configuration
}

export function configurationErrors(file: string): string {
  return `${printable(file)} has errors, so nothing was done: correct it, or name another one with --config.`
}
