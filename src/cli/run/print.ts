/** What `locktester run` says, all of it on standard error: standard output is the command's. */

import type { LockEvent } from '../../log/events.js'
import type { LockTimeoutError } from '../../errors.js'
import { printable } from '../../log/printable.js'
import { messageOf, paint, writeError } from '../shared/output.js'
import type { NotStartedError } from './child.js'

export function error(message: string): void {
  writeError(`locktester run: ${paint('red', 'error:')} ${message}`)
}

function warn(message: string): void {
  writeError(`locktester run: ${paint('yellow', 'warning:')} ${message}`)
}

export function waiting({ path, detail }: LockEvent): void {
  writeError(`locktester run: waiting for ${printable(path)}${detail === undefined ? '' : `, held by ${printable(detail)}`}`)
}

/** The library's own advice is for programmers. */
export function conflict(timeout: LockTimeoutError): void {
  const [what = ''] = messageOf(timeout).split(timeout.advice)
  error(`${what}Wait longer (--wait), or see who it is: locktester status ${printable(timeout.path ?? '')}`)
}

export function lost(reason: unknown, command: readonly string[], onLoss: 'terminate' | 'ignore'): void {
  if (onLoss === 'terminate') error(`${messageOf(reason)} Terminating ${name(command)}.`)
  else warn(`${messageOf(reason)} ${name(command)} goes on, as --on-loss=ignore says.`)
}

export function lostAtTheEnd(path: string, command: readonly string[]): void {
  warn(`The lock had been lost when ${name(command)} ended: ${printable(path)}. Another process may have run at the same time.`)
}

export function notReleased(path: string): void {
  warn(`The directory does not answer; the lock ends with this process: ${printable(path)}`)
}

export function notStarted(command: readonly string[], reason: NotStartedError): void {
  error(reason.isMissing ? `There is no such command: ${name(command)}` : `${name(command)} cannot be executed (${reason.errno})`)
}

function name(command: readonly string[]): string {
  return printable(command[0] ?? '')
}
