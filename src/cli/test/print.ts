/**
 * All wording of the lock test. Standard output carries the lines that administrators and their scripts know, to the letter
 * and never coloured (or the JSON report); everything else is talk and goes to standard error.
 */

import { styleText } from 'node:util'
import { type Diagnostic, formatDiagnostic } from '../../config/diagnostics.js'
import type { LoadedConfig } from '../../config/load.js'
import { AdvisoryUnavailableError, MountlockError } from '../../errors.js'
import { printable } from '../../log/printable.js'
import { codeOf } from '../shared/bounded.js'
import type { Identity } from '../shared/identity.js'
import { nameOf, type TestedLock } from './tested-locks.js'
import { type Mount, fileSystemText } from '../shared/mounts.js'
import type { Neighbour } from './neighbours.js'
import { spell } from '../shared/spelling.js'
import { type Finding, supported } from './verdict.js'

export interface Warning {
  /** Stable, for programs. */
  code: string
  message: string
}

export class Printer {
  readonly #quiet: boolean
  readonly #json: boolean
  readonly #warnings: Warning[] = []

  constructor({ quiet, json }: { quiet: boolean; json: boolean }) {
    this.#quiet = quiet
    this.#json = json
  }

  /** What was warned of so far. */
  get warnings(): readonly Warning[] {
    return this.#warnings
  }

  /** Nice to know: silenced by --quiet. */
  talk(line: string): void {
    if (!this.#quiet) writeError(line)
  }

  warn(code: string, message: string): void {
    this.#warnings.push({ code, message })
    writeError(`${paint('yellow', 'warning:')} ${message}`)
  }

  /** Nothing if there was a warning with that code before. */
  warnOnce(code: string, message: string): void {
    if (!this.#warnings.some((warning) => warning.code === code)) this.warn(code, message)
  }

  error(message: string): void {
    writeError(`${paint('red', 'error:')} ${message}`)
  }

  diagnostics(diagnostics: readonly Diagnostic[]): void {
    writeErrorDiagnostics(diagnostics)
  }

  /** One of the lines that are a contract. */
  attempt({ tested, result }: Finding): void {
    if (!this.#json) writeOut(`* ${result === 'acquired' ? 'Acquired' : 'Unable to acquire'} ${nameOf(tested)}`)
  }

  /** The other lines that are a contract. Without an excluded lock there is no verdict. */
  verdict(findings: readonly Finding[]): void {
    const types = supported(findings)
    if (!this.#json && types.length > 0) writeOut(`\n${verdictLine(types)}`)
  }

  report(report: object): void {
    if (this.#json) writeJson(report)
  }
}

/** `Your filesystem appears to support advisory (flock, fcntl) and link-based (hard link) locks.` */
function verdictLine(types: readonly TestedLock[]): string {
  const families = (['advisory', 'link-based', 'rename-based'] as const).flatMap((family) => {
    const members = types.filter((type) => type.family === family)
    if (members.length === 0) return []
    const variants = members.flatMap(({ variant }) => variant ?? [])
    return [variants.length === 0 ? family : `${family} (${variants.join(', ')})`]
  })
  const last = families.pop() ?? ''
  const listed = families.length === 0 ? last : `${families.join(', ')} and ${last}`
  return `Your filesystem appears to support ${listed} locks.`
}

export function selfLine({ host, pid, uid, user }: Identity): string {
  return `locktester on ${host} (pid ${pid}) as ${person({ uid, user })}`
}

export function directoryLine(directory: string): string {
  return `directory: ${printable(directory)}`
}

export function fileSystemLine(mount: Mount | null): string {
  return `file system: ${mount === null ? 'unknown (this platform does not tell)' : fileSystemText(mount)}`
}

export function configurationLine({ file, found, settings }: LoadedConfig): string {
  const values = spell(settings).flatMap(({ key, value }) => (value === null ? [] : `${key}=${printable(value)}`))
  return `configuration: ${printable(file)}${found ? '' : ' (does not exist: defaults)'}: ${values.join(' ')}`
}

export function localDiskWarning({ type, mountPoint }: Mount): string {
  return (
    `This directory is on a local disk (${type} on ${printable(mountPoint)}): other nodes cannot see it. ` +
    'Name a directory on the shared mount: locktester DIR.'
  )
}

export function otherUserWarning({ record }: Neighbour, own: Identity): string {
  return (
    `The other instance runs as another user: ${person(record)} in ${where(record)}, and this one is ${person(own)}. ` +
    'Locks may fail for want of permission: run both as the same user.'
  )
}

export function everyNodeAcquired(tested: TestedLock, others: readonly Neighbour[]): string {
  const whom = others.map(({ record }) => where(record)).join(', ')
  return (
    `EVERY NODE ACQUIRED IT: this process holds the ${nameOf(tested)}, and so does ${whom}, at the same time. ` +
    `Locks of this type do not exclude here: do not use them. ${remedyOf(tested)}`
  )
}

function remedyOf({ family }: TestedLock): string {
  return family === 'advisory'
    ? 'Look for nolock and local_lock among the mount options, and that both nodes have mounted the same share.'
    : 'Make sure that both nodes have mounted the same share.'
}

/** Why a lock that failed with an error did: it is the reader's first question. */
export function failureText(tested: TestedLock, error: unknown): string {
  if (error instanceof AdvisoryUnavailableError) return `The ${nameOf(tested)} could not be tried. ${messageOf(error)}`
  const isAboutUser = error instanceof MountlockError && error.code === 'ACCESS_DENIED'
  const who = isAboutUser ? 'This user cannot' : 'Nobody can'
  return `${who} acquire the ${nameOf(tested)}: this is an error, not another holder. ${messageOf(error)}`
}

export function excludedTalk(tested: TestedLock, { record }: Neighbour): string {
  return `The ${nameOf(tested)} is held by ${where(record)}.`
}

export function unknownHolderWarning(tested: TestedLock): string {
  const advice =
    tested.family === 'advisory'
      ? 'a file server may keep the locks of a crashed node for some time.'
      : 'it could not be told whether that one is alive.'
  return `The ${nameOf(tested)} is held by something that is no running locktester of this directory: ${advice}`
}

export function patienceTalk(tested: TestedLock): string {
  return (
    `The ${nameOf(tested)} is held, but no running locktester claims it: perhaps its holder crashed. ` +
    'Watching whether it lives; this takes about a timeout-interval (Ctrl+C ends it).'
  )
}

export function presenceWarning(error: unknown): string {
  return (
    `The presence record cannot be kept in this directory (${messageOf(error)}), ` +
    'so it could stay unnoticed that every node acquires the same lock.'
  )
}

export function holdingTalk(holdMs: number | undefined): string {
  const end = holdMs === undefined ? 'Ctrl+C releases' : `${holdMs / 1000} s, or Ctrl+C, and they are released`
  return `Holding. Now run locktester on the next node, as the same user. ${end}.`
}

export const HOLD_HINT =
  'Released at once, for not every lock was acquired. To try those that were from the next node: --hold 600.'

export const RELEASING = 'Releasing. The directory answers slowly or not at all; Ctrl+C once more ends this at once.'

export const NOT_RELEASED = 'The directory does not answer. What could not be released ends with this process.'

export function configurationErrors(file: string): string {
  return `${printable(file)} has errors, so nothing was done: correct it, or name another one with --config.`
}

function where({ host, pid, user: name }: Identity): string {
  return `locktester on ${host} (pid ${pid}${name === null ? '' : `, ${name}`})`
}

function person({ uid, user: name }: Pick<Identity, 'uid' | 'user'>): string {
  return name === null ? `uid ${uid}` : `${name} (uid ${uid})`
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? printable(error.message) : printable(String(error))
}

/** For programs. */
export function errorReport(error: unknown): { code: string; message: string } {
  return { code: codeOf(error) ?? 'UNEXPECTED', message: messageOf(error) }
}

/** Coloured on a terminal, and only where the environment does not ask for none (NO_COLOR). */
export function paint(
  format: 'bold' | 'gray' | 'green' | 'red' | 'yellow',
  text: string,
  stream: NodeJS.WriteStream = process.stderr,
): string {
  return styleText(format, text, { stream, validateStream: true })
}

export function writeOut(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function writeJson(report: object): void {
  writeOut(JSON.stringify(report, null, 2))
}

export function writeError(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function writeErrorDiagnostics(diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of diagnostics) writeError(formatDiagnostic(diagnostic))
}
