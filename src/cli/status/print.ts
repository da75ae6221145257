/** What `locktester status` prints: the table, or the report of docs/schema/status.json. */

import { join, relative, resolve } from 'node:path'
import { printable } from '../../log/printable.js'
import { complaint } from '../shared/output.js'
import { type Column, duration, tableOf } from '../shared/table.js'
import type { LockStatus, Look } from '../locks/look.js'
import type { WaitingProcess } from '../../types.js'
import type { WorkbenchStatus } from '../locks/look-workbench.js'

const COLOURS = { free: 'gray', released: 'gray', held: 'green', stale: 'yellow', unknown: 'red', foreign: 'red' } as const

/** Which of them there are to see: the locks that are held come first. */
const ORDER = ['held', 'stale', 'unknown', 'foreign', 'released', 'free']

const byState = (one: { state: string }, other: { state: string }) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state)

/** How a lock is called: as it was named, or by its way from the directory that was. */
class Names {
  readonly #named: readonly string[]

  constructor(named: readonly string[]) {
    this.#named = named
  }

  of(path: string): string {
    const named = this.#named.find((each) => path === resolve(each) || path.startsWith(`${resolve(each)}/`))
    if (named === undefined) return printable(path)
    const below = relative(resolve(named), path)
    if (below === '') return printable(named)
    return printable(this.#named.length === 1 ? below : join(named, below))
  }
}

const COLUMNS = (names: Names, isLong: boolean): readonly Column<LockStatus>[] => [
  { head: 'PATH', cell: ({ path }) => names.of(path) },
  { head: 'STATE', cell: ({ state }) => ({ text: state, colour: COLOURS[state] }) },
  { head: 'TYPE', cell: ({ lockType }) => lockType },
  { head: 'HOLDER', cell: ({ holder }) => (holder === null ? '-' : holderText(holder)) },
  { head: 'LABEL', cell: ({ holder }) => printable(holder?.label || '-') },
  { head: 'SINCE', cell: ({ holder }) => orNone(holder?.since, localTime) },
  { head: 'HEARTBEAT', cell: ({ holder }) => orNone(holder?.heartbeatAgeMs, (ageMs) => `${duration(ageMs)} ago`) },
  { head: 'WAITING', cell: ({ waiters }) => (waiters.length === 0 ? '-' : String(waiters.length)) },
  ...(isLong ? [{ head: 'TOKEN', cell: ({ token }: LockStatus) => orNone(token, String) }] : []),
]

const WORKBENCH_COLUMNS = (names: Names): readonly Column<WorkbenchStatus>[] => [
  { head: 'PATH', cell: ({ path }) => names.of(path) },
  { head: 'STATE', cell: ({ state }) => ({ text: state, colour: COLOURS[state] }) },
  { head: "WORKBENCH'S LOCK", cell: ({ purpose, session }) => printable(session === null ? purpose : `${purpose} ${session}`) },
  {
    head: 'FORM',
    cell: ({ form, generation }) => orNone(form, () => [generation, form].filter((word) => word !== null).join(' ')),
  },
  { head: 'PROCESS', cell: ({ pid, byMountlock }) => (byMountlock ? 'mountlock' : orNone(pid, (number) => `pid ${number}`)) },
  { head: 'AGE', cell: ({ ageMs }) => orNone(ageMs, duration) },
]

export interface TableOptions {
  /** What was named on the command line. */
  paths: readonly string[]
  /** With the column of tokens. */
  verbose: boolean
  widthMax?: number | undefined
}

function orNone<Value>(value: Value | null | undefined, inWords: (value: Value) => string): string {
  return value === null || value === undefined ? '-' : inWords(value)
}

/** Ours, and below them Workbench's own. `widthMax`: the columns of the terminal, where there is one. */
export function lookLines({ locks, workbench }: Look, { paths, verbose, widthMax }: TableOptions): string[] {
  const names = new Names(paths)
  const ours = locks.length === 0 ? [] : tableOf(COLUMNS(names, verbose), locks.toSorted(byState), { widthMax })
  const theirs = workbench.length === 0 ? [] : tableOf(WORKBENCH_COLUMNS(names), workbench.toSorted(byState), { widthMax })
  return ours.length > 0 && theirs.length > 0 ? [...ours, '', ...theirs] : [...ours, ...theirs]
}

function holderText({ host, pid, user, uid }: NonNullable<LockStatus['holder']>): string {
  if (host === null && pid === null) return '?'
  const account = user ?? (uid === null ? null : `uid ${uid}`)
  return printable(`${account === null ? '' : `${account}@`}${host ?? '?'} pid ${pid ?? '?'}`)
}

/** By this machine's time zone; the day only when it is another one. Swedes write dates as ISO 8601 has them. */
function localTime(sinceMs: number): string {
  const since = new Date(sinceMs)
  const isToday = since.toDateString() === new Date().toDateString()
  return isToday ? since.toLocaleTimeString('sv') : since.toLocaleString('sv')
}

/** What is said beside the table. */
export function talkLines({ locks, workbench, bystanders, unread }: Look): string[] {
  const lines: string[] = []
  if (locks.length + workbench.length + unread.length === 0)
    lines.push('There are no locks here. (An advisory lock that no process of this node holds leaves no mark: name its file.)')
  for (const { path, reason } of [...locks, ...workbench]) {
    if (reason !== null) lines.push(`${printable(path)}: ${printable(reason)}`)
  }
  if (workbench.some(({ pid, form, byMountlock }) => pid !== null && form !== 'advisory' && !byMountlock))
    lines.push(NAMES_NO_HOST)
  if (workbench.some(({ ageBy }) => ageBy === 'node')) lines.push(OWN_CLOCK)
  for (const { path, waiters } of locks) {
    if (waiters.length > 0) lines.push(`waiting for ${printable(path)}, in this order: ${waiters.map(waiterText).join(', ')}`)
  }
  const idle = bystanders.filter(({ isWaiting }) => isWaiting === null)
  for (const directory of new Set(idle.map((bystander) => bystander.directory))) {
    const here = idle.filter((bystander) => bystander.directory === directory)
    lines.push(`in ${printable(directory)}, with no lock and no ticket: ${here.map(personText).join(', ')}`)
  }
  for (const { path, message } of unread) lines.push(complaint('error', `${printable(path)}: ${message}`))
  return lines
}

const NAMES_NO_HOST = 'The locks of Workbench name no host: a process with such a number may run on any node.'
const OWN_CLOCK =
  "The file server's clock could not be asked (this user cannot write there): some ages are by the clock of this node."

function personText({ host, pid, label }: Pick<WaitingProcess, 'host' | 'pid' | 'label'>): string {
  return printable(`${host} pid ${pid}${label === null || label === '' ? '' : ` (${label})`}`)
}

const waiterText = (waiter: WaitingProcess): string =>
  `${personText(waiter)}${waiter.since === null ? '' : ` since ${localTime(waiter.since)}`}`

export function reportOf({ locks, workbench, bystanders, unread }: Look, exitCode: number): object {
  return {
    version: 1,
    locks: locks.map(({ token, holder, waiters, ...lock }) => ({
      ...lock,
      waiters: waiters.map(({ since, label, ...waiter }) => ({ ...waiter, label: label ?? '', since: toDate(since) })),
      token: token === null ? null : String(token),
      holder: holder === null ? null : holderReport(holder),
    })),
    workbench: workbench.map(({ modifiedMs: _, ...status }) => status),
    waitingOrIdle: bystanders,
    unread,
    exitCode,
  }
}

function holderReport({ since, ...holder }: NonNullable<LockStatus['holder']>): object {
  return { ...holder, since: toDate(since) }
}

const toDate = (sinceMs: number | null) => (sinceMs === null ? null : new Date(sinceMs).toISOString())
