/**
 * All wording of the lock test. Standard output carries the lines that administrators and their scripts know, to the letter
 * and never coloured (or the JSON report); everything else is talk and goes to standard error.
 */

import { WHAT_NOW } from '../shared/program.js'
import type { LoadedConfig } from '../../config/load.js'
import { AdvisoryUnavailableError, MountlockError } from '../../errors.js'
import { printable } from '../../log/printable.js'
import { type Identity, person } from '../shared/identity.js'
import { type MountProfile, fileSystemText } from '../shared/mounts.js'
import { messageOf, type Printer } from '../shared/output.js'
import type { LockType } from '../../types.js'
import { spell } from '../shared/spelling.js'
import type { Neighbour } from './neighbours.js'
import { nameOf, type TestedLock } from './tested-locks.js'
import { decisive, type Finding, supported } from './verdict.js'

/** One of the lines that are a contract. */
export function findingLine({ tested, result }: Finding): string {
  return `* ${result === 'acquired' ? 'Acquired' : 'Unable to acquire'} ${nameOf(tested)}`
}

/** The other lines that are a contract, or `null`: without an excluded lock there is no verdict. */
export function verdictLine(findings: readonly Finding[]): string | null {
  const types = supported(findings)
  return types.length === 0 ? null : supportText(types)
}

/** `Your filesystem appears to support advisory (flock, fcntl) and link-based (hard link) locks.` */
function supportText(types: readonly TestedLock[]): string {
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

/** What to do where a directory is not there; a bare word was perhaps meant as a command. */
export function noDirectory(named: string): string {
  const command = /^[a-z-]+$/.test(named) ? 'It is no command either: locktester --help has them. ' : ''
  return `${command}Create it, mount the share, or leave it out for your client-state directory.`
}

export function selfLine({ host, pid, uid, user }: Identity): string {
  return `locktester on ${host} (pid ${pid}) as ${person({ uid, user })}`
}

export function directoryLine(directory: string): string {
  return `directory: ${printable(directory)}`
}

export function fileSystemLine(mount: MountProfile | null): string {
  return `file system: ${mount === null ? 'unknown (this platform does not tell)' : fileSystemText(mount)}`
}

export function configurationLine({ file, found, settings }: LoadedConfig): string {
  const values = spell(settings).flatMap(({ key, value }) => (value === null ? [] : `${key}=${printable(value)}`))
  return `configuration: ${printable(file)}${found ? '' : ' (does not exist: defaults)'}: ${values.join(' ')}`
}

export function localDiskWarning({ type, mountPoint }: MountProfile): string {
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
  const holders = others.map(({ record }) => where(record)).join(', ')
  return (
    `EVERY NODE ACQUIRED IT: this process holds the ${nameOf(tested)}, and so does ${holders}, at the same time. ` +
    `Locks of this type do not exclude here: do not use them. ${remedyOf(tested)} What now: ${WHAT_NOW}`
  )
}

function remedyOf({ family }: TestedLock): string {
  return family === 'advisory'
    ? 'Look for nolock and local_lock among the mount options, and that both nodes have mounted the same share.'
    : 'Make sure that both nodes have mounted the same share.'
}

/** What an error is about, where not every process meets with it. */
const SUBJECTS: Readonly<Record<string, string>> = {
  ACCESS_DENIED: 'This user cannot',
  HEARTBEAT_FAILED: 'This process cannot',
  TOO_MANY_FILES: 'This process cannot',
}

/** Why a lock that failed with an error did: it is the reader's first question. @param configured decides whether it counts */
export function tellFailure(printer: Printer, finding: Finding, configured: LockType): void {
  if (finding.result !== 'failed') return
  const text = failureText(finding.tested, finding.error)
  if (decisive([finding], configured).length > 0) printer.error(text)
  else printer.warn('NOT_TRIED', `${text} This does not count here: lock-type=${configured} is in force.`)
}

function failureText(tested: TestedLock, error: unknown): string {
  if (error instanceof AdvisoryUnavailableError) return `The ${nameOf(tested)} could not be tried. ${messageOf(error)}`
  if (error instanceof MountlockError && error.code === 'SERVER_TIMEOUT') {
    return `It was too slow to tell whether the ${nameOf(tested)} can be acquired. ${messageOf(error)}`
  }
  const subject = error instanceof MountlockError ? SUBJECTS[error.code] : undefined
  return `${subject ?? 'No node can'} acquire the ${nameOf(tested)}: this is an error, not another holder. ${messageOf(error)}`
}

export function excludedTalk(tested: TestedLock, { record }: Neighbour): string {
  return `The ${nameOf(tested)} is held by ${where(record)}.`
}

export function unknownHolderWarning(tested: TestedLock): string {
  const advice =
    tested.family === 'advisory'
      ? 'a file server may keep the locks of a crashed node for some time.'
      : 'it could not be told whether that one is alive.'
  return `The ${nameOf(tested)} is held by something that is no running locktester of this directory, which proves nothing: ${advice}`
}

export function patienceTalk(tested: TestedLock): string {
  return (
    `The ${nameOf(tested)} is held, but no running locktester claims it: perhaps its holder crashed. ` +
    'Watching whether it lives; this takes about a timeout-interval (Ctrl+C ends it).'
  )
}

export function presenceWarning(error: unknown): string {
  return (
    `locktester cannot write down in this directory that it holds locks (${messageOf(error)}). ` +
    'Should a second node acquire the same lock, neither might notice: make the directory writable for this user, or name another one.'
  )
}

export function holdingTalk(holdMs: number | undefined): string {
  const end = holdMs === undefined ? 'Ctrl+C releases' : `${holdMs / 1000} s, or Ctrl+C, and they are released`
  return `Holding. Now run locktester on the next node, as the same user. ${end}.`
}

export const ONE_MACHINE =
  'The locks are held by processes of this very machine, which proves nothing about others: run locktester on the next node as well.'

export const HOLD_HINT =
  'Released at once, because not every lock was acquired. To hold the others, and try them from the next node: --hold 600.'

export const RELEASING = 'Releasing. The directory answers slowly or not at all; Ctrl+C once more ends this at once.'

export const NOT_RELEASED = 'The directory does not answer. What could not be released ends with this process.'

function where({ host, pid, user: name }: Identity): string {
  return `locktester on ${host} (pid ${pid}${name === null ? '' : `, ${name}`})`
}
