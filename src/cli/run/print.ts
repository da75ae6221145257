/** What `locktester run` says, all of it on standard error: standard output is the command's. */

import { printable } from '../../log/printable.js'
import type { LockType } from '../../types.js'
import { messageOf, writeComplaint, writeError } from '../shared/output.js'
import { spoken } from '../shared/speaker.js'
import type { NotStartedError } from './child.js'
import type { MissingInterpreter } from './interpreter.js'
import type { OnLoss } from './keeper-messages.js'
import type { KeeperError } from './keeping.js'

export function error(message: string): void {
  writeComplaint('error', messageOf(message))
}

function warn(message: string): void {
  writeComplaint('warning', message)
}

/** With its name as well: the command writes to the same standard error. */
function talk(message: string): void {
  writeError(spoken(message))
}

export function waiting(path: string, holder: string | undefined): void {
  talk(`waiting for ${printable(path)}${holder === undefined ? '' : `, held by ${printable(holder)}`}`)
}

export function acquired(waitedMs: number, command: readonly string[]): void {
  talk(`getting lock took ${(waitedMs / 1000).toFixed(6)} seconds`)
  talk(`executing ${name(command)}`)
}

export function kept(path: string): void {
  talk(`processes that the command has left behind keep the lock: ${printable(path)}`)
}

/** The library's own advice is for programmers. */
export function conflict({ message, advice, path }: KeeperError, waitMs: number | null): void {
  const [what = ''] = message.split(advice)
  const longer = waitMs === 0 ? 'Wait for it (--wait SECONDS)' : 'Wait longer (--wait SECONDS)'
  error(`${what}${longer}, or see which process holds it: locktester status ${path ?? ''}`)
}

export function alwaysExclusive(lockType: LockType): string {
  return `A ${lockType} lock is always exclusive: for --shared add --lock-type advisory, in every process that uses the lock`
}

export function holders(lines: readonly string[]): void {
  for (const line of lines) talk(printable(line))
}

/** @returns whether any came */
export function sessionsCame(paths: readonly string[]): boolean {
  for (const path of paths) {
    error(
      `A new session came while the command ran, which the locks do not keep out: ${path}. Do it again, or stop sessions first.`,
    )
  }
  return paths.length > 0
}

export function notListedAgain(reason: unknown): true {
  error(`Whether a new session came while the command ran is not known: ${messageOf(reason)}`)
  return true
}

export function lost(message: string, command: readonly string[], onLoss: OnLoss): void {
  if (onLoss === 'terminate') error(`${message} Terminating ${name(command)}.`)
  else warn(`${printable(message)} ${name(command)} goes on, as --on-loss=ignore says.`)
}

export function lostBefore(message: string, command: readonly string[]): void {
  error(`${message} It was lost before ${name(command)} was started, so that was left out.`)
}

export function lostAtTheEnd(path: string, command: readonly string[]): void {
  warn(`The lock had been lost when ${name(command)} ended: ${printable(path)}. Another process may have run at the same time.`)
}

export function notReleased(path: string): void {
  warn(`It cannot be told whether the lock was released; at the latest it ends with the process that held it: ${printable(path)}`)
}

export function notStarted(command: readonly string[], { errno, interpreter, isMissing, isRefused }: NotStartedError): void {
  if (isRefused)
    error(`${name(command)} cannot be started: the system has no more to give (${errno}). Raise the limit (ulimit -a).`)
  else if (interpreter !== null) error(interpreterText(interpreter))
  else if (isMissing) error(`There is no such command: ${name(command)}${name(command).includes('/') ? '' : WHERE_IT_BEGINS}`)
  else error(`${name(command)} cannot be executed (${errno})`)
}

function interpreterText({ file, interpreter }: MissingInterpreter): string {
  // The commonest reason of all, and one that cannot be seen.
  const hint = interpreter.endsWith('\r') ? ' Its lines end as on Windows: take the carriage returns out of it.' : ''
  return `${file} cannot be executed: it needs ${interpreter}, which is not there.${hint}`
}

const WHERE_IT_BEGINS = ' (the command begins with the first word behind PATH that is no option)'

function name(command: readonly string[]): string {
  return printable(command[0] ?? '')
}
