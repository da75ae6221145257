/** From the configuration file to the options of a locker, and what is said of a file that has errors. */

import { loadConfig, type LoadedConfig } from '../../config/load.js'
import type { ConfigSettings } from '../../config/settings.js'
import { printable } from '../../log/printable.js'
import type { LockerOptions } from '../../types.js'
import { EXIT } from './exit-codes.js'
import { writeComplaint, writeErrorDiagnostics } from './output.js'
import { UsageError } from './usage.js'

/**
 * Where no file was named, a missing one means the defaults. A named one has to be there, for commands that do not tell which
 * settings they go by: a misspelt name would lock otherwise than the other nodes. @throws UsageError
 */
export function loadNamedConfig(file: string | undefined): LoadedConfig {
  const loaded = loadConfig({ file })
  if (file !== undefined && !loaded.found)
    throw new UsageError(
      `There is no such file: ${printable(file)}. Check the name; where none is named, it is /etc/rstudio/file-locks.`,
    )
  return loaded
}

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
  writeComplaint('error', configurationErrors(file))
  return EXIT.configuration
}

export function configurationErrors(file: string): string {
  return `${printable(file)} has errors, so nothing was done: correct it, or name another one with --config.`
}
