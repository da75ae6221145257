/**
 * Finds and reads the `file-locks` file. Not finding one is no fault: the defaults are meant to be used. Finding one that
 * cannot be read is a diagnostic, and never an exception unless `strict` asks for one.
 */

import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { forCaller } from '../advice/callers-line.js'
import { systemErrorCode } from '../drivers/error-code.js'
import { isMissing, obstacleTo } from '../drivers/obstacle.js'
import { runCallsBlocking } from '../drivers/run.js'
import { ConfigError } from '../errors.js'
import { type Diagnostic, type DiagnosticCode, formatDiagnostic } from './diagnostics.js'
import { type ParsedConfig, parseConfig } from './parse.js'
import { checkOptions, type Forms, OBJECT, PATH, SWITCH } from './options.js'
import { defaultOrigins, defaultSettings } from './settings.js'

/** Which file, and how strictly it is read. */
export interface LoadConfigOptions {
  /**
   * Path of the file. When absent, the first that applies: `$RSTUDIO_CONFIG_DIR/file-locks`, the first of
   * `$XDG_CONFIG_DIRS` that has `rstudio/file-locks`, `/etc/rstudio/file-locks`.
   */
  file?: string | undefined
  /** Where those two variables are looked up. @default process.env */
  env?: Readonly<Record<string, string | undefined>> | undefined
  /** Throw a `ConfigError` when there is any diagnostic, warnings included. @default false */
  strict?: boolean | undefined
}

/** What the file says, and what is wrong with it. */
export interface LoadedConfig extends ParsedConfig {
  /** The file that was chosen, whether it exists or not. */
  file: string
  /** `false`: there is no such file, and all settings are the defaults. */
  found: boolean
}

const OPTIONS: Forms<LoadConfigOptions> = { file: PATH, env: OBJECT, strict: SWITCH }

const DEFAULT_FILE = '/etc/rstudio/file-locks'
const FILE_BYTES_MAX = 1024 * 1024
const LISTED_DIAGNOSTICS_MAX = 10

/**
 * Finds and reads the `file-locks` file.
 * @throws InvalidArgumentError for an option; ConfigError only when `strict`: its message lists the diagnostics with file, line
 * and column
 */
export function loadConfig(options: LoadConfigOptions = {}): LoadedConfig {
  return forCaller(() => load(options))
}

function load(options: LoadConfigOptions): LoadedConfig {
  checkOptions<LoadConfigOptions>('loadConfig', options, OPTIONS)
  const { file, env = process.env, strict = false } = options
  const loaded = readConfig(file ?? chooseFile(env))
  if (strict && loaded.diagnostics.length > 0) throw strictError(loaded)
  return loaded
}

function chooseFile(env: Readonly<Record<string, string | undefined>>): string {
  const { RSTUDIO_CONFIG_DIR, XDG_CONFIG_DIRS } = env
  if (RSTUDIO_CONFIG_DIR) return join(RSTUDIO_CONFIG_DIR, 'file-locks')
  // The XDG specification: relative directories are invalid and are passed over.
  const directories = (XDG_CONFIG_DIRS ?? '').split(':').filter((directory) => isAbsolute(directory))
  return directories.map((directory) => join(directory, 'rstudio', 'file-locks')).find(isThere) ?? DEFAULT_FILE
}

/** A file that may not be looked at *is* there: to pass over it in silence would load settings that were not meant. */
function isThere(file: string): boolean {
  try {
    lstatSync(file)
    return true
  } catch (error) {
    return !isMissing(error) || runCallsBlocking(obstacleTo(file)) !== null || isUnnameable(file)
  }
}

/** Node reads bytes that are not UTF-8 as this character, and so cannot name the file that was meant. */
const isUnnameable = (file: string) => file.includes('\uFFFD')

function readConfig(file: string): LoadedConfig {
  try {
    // O_NONBLOCK: the open of a pipe must not wait for a writer.
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stats = fstatSync(fd)
      if (!stats.isFile()) return unusable(file, 'NOT_A_FILE', `this is ${stats.isDirectory() ? 'a directory' : 'not a file'}`)
      const bytes = readBytes(fd)
      if (bytes === null) return unusable(file, 'TOO_LARGE', `the file is larger than ${FILE_BYTES_MAX} bytes`)
      return { file, found: true, ...parseConfig(bytes, file) }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isMissing(error)) {
      if (isUnnameable(file)) return unusable(file, 'UNREADABLE', 'the file cannot be read (its name is not UTF-8)')
      const obstacle = runCallsBlocking(obstacleTo(file))
      if (obstacle !== null) return unusable(file, 'UNREADABLE', `the file cannot be read (${obstacle})`)
      return { file, found: false, settings: defaultSettings(), diagnostics: [], origins: defaultOrigins() }
    }
    return unusable(file, 'UNREADABLE', `the file cannot be read (${causeOf(error)})`)
  }
}

/** `null`: there are too many. By reading: a file that the kernel makes up (in /proc), or one that grows, has another size. */
function readBytes(fd: number): Uint8Array | null {
  const buffer = Buffer.alloc(FILE_BYTES_MAX + 1)
  let length = 0
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, null)
    if (count === 0) return buffer.subarray(0, length)
    length += count
  }
  return null
}

function unusable(file: string, code: DiagnosticCode, what: string): LoadedConfig {
  const diagnostic: Diagnostic = { severity: 'error', code, message: `${what}; the defaults are used`, file, line: 0, column: 0 }
  return { file, found: true, settings: defaultSettings(), diagnostics: [diagnostic], origins: defaultOrigins() }
}

function strictError({ file, diagnostics }: LoadedConfig): ConfigError {
  const listed = diagnostics.slice(0, LISTED_DIAGNOSTICS_MAX).map((diagnostic) => `\n  ${formatDiagnostic(diagnostic)}`)
  const more = diagnostics.length > listed.length ? `\n  and ${diagnostics.length - listed.length} more` : ''
  return new ConfigError('The configuration is not clean, and strict forbids going on with defaults', {
    code: 'CONFIG_INVALID',
    path: file,
    advice: `Correct this:${listed.join('')}${more}`,
  })
}

function causeOf(error: unknown): string {
  return systemErrorCode(error) ?? (error as Error).message
}
