/** What `locktester status` prints: the table, or the report of docs/schema/status.json. */

import { printable } from '../../log/printable.js'
import { paint, writeError } from '../shared/output.js'
import { type Cell, duration, tableLines } from '../shared/table.js'
import type { Bystander, LockStatus, Look, Person } from '../locks/look.js'

const COLOURS = { free: 'gray', held: 'green', stale: 'yellow', unknown: 'red' } as const
const HEADS = ['STATE', 'TYPE', 'HOLDER', 'LABEL', 'SINCE', 'HEARTBEAT', 'TOKEN', 'WAITING', 'PATH']

export function lookLines({ locks }: Look): string[] {
  return locks.length === 0 ? [] : tableLines(HEADS, locks.map(row))
}

function row({ path, lockType, state, token, holder, waiters }: LockStatus): Cell[] {
  const age = holder?.heartbeatAgeMs
  const since = holder?.since
  return [
    { text: state, colour: COLOURS[state] },
    { text: lockType },
    { text: holder === null ? '-' : holderText(holder) },
    { text: printable(holder?.label || '-') },
    { text: since === null || since === undefined ? '-' : localTime(since) },
    { text: age === null || age === undefined ? '-' : `${duration(age)} ago` },
    { text: token === null ? '-' : String(token) },
    { text: waiters.length === 0 ? '-' : String(waiters.length) },
    { text: printable(path) },
  ]
}

function holderText({ host, pid, user, uid }: NonNullable<LockStatus['holder']>): string {
  if (host === null && pid === null) return '?'
  const who = user ?? (uid === null ? null : `uid ${uid}`)
  return printable(`${who === null ? '' : `${who}@`}${host ?? '?'} pid ${pid ?? '?'}`)
}

/** By this machine's time zone; the day only when it is another one. Swedes write dates as ISO 8601 has them. */
function localTime(sinceMs: number): string {
  const since = new Date(sinceMs)
  const isToday = since.toDateString() === new Date().toDateString()
  return isToday ? since.toLocaleTimeString('sv') : since.toLocaleString('sv')
}

/** What is said beside the table. */
export function talk({ locks, bystanders, unread }: Look): void {
  if (locks.length === 0 && unread.length === 0)
    writeError('There are no locks here. (An advisory lock that no process of this node holds leaves no mark: name its file.)')
  for (const { path, state, reason } of locks) {
    if (state === 'unknown') writeError(`${printable(path)}: ${printable(reason ?? '')}`)
  }
  for (const { path, waiters } of locks) {
    if (waiters.length > 0) writeError(`waiting for ${printable(path)}: ${waiters.map(personText).join(', ')}`)
  }
  for (const directory of new Set(bystanders.map((bystander) => bystander.directory))) {
    const here = bystanders.filter((bystander) => bystander.directory === directory)
    for (const [known, what] of [[false, 'idle'] as const, [null, 'waiting or idle (only their own node can tell)'] as const]) {
      const some = here.filter(({ isWaiting }) => isWaiting === known)
      if (some.length > 0) writeError(`${what} in ${printable(directory)}: ${some.map(personText).join(', ')}`)
    }
  }
  for (const { path, message } of unread) writeError(`${paint('red', 'error:')} ${printable(path)}: ${message}`)
}

function personText({ host, pid, label }: Person): string {
  return printable(`${host} pid ${pid}${label === '' ? '' : ` (${label})`}`)
}

export function reportOf({ locks, bystanders, unread }: Look, exitCode: number): object {
  return {
    version: 1,
    locks: locks.map(({ token, holder, ...lock }) => ({
      ...lock,
      token: token === null ? null : String(token),
      holder: holder === null ? null : holderReport(holder),
    })),
    waitingOrIdle: bystanders.map((bystander: Bystander) => ({ ...bystander })),
    unread,
    exitCode,
  }
}

function holderReport({ since, ...holder }: NonNullable<LockStatus['holder']>): object {
  return { ...holder, since: since === null ? null : new Date(since).toISOString() }
}
