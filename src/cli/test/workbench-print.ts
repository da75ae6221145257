/** What `locktester --workbench` says besides the lines that every test says. */

import { join } from 'node:path'
import { MountlockError } from '../../errors.js'
import { printable } from '../../log/printable.js'
import type { WorkbenchStatus } from '../locks/look-workbench.js'
import { duration } from '../shared/table.js'

export function isDirectory(file: string): MountlockError {
  const advice = `--workbench takes the name of a file, such as ${printable(join(file, 'locktester_file'))}.`
  return new MountlockError('It is a directory', { code: 'FOREIGN_LOCK', path: file, advice })
}

export const fileLine = (path: string) => `file: ${printable(path)}`

export function holding(path: string, holdMs: number | undefined): string {
  const end = holdMs === undefined ? 'Ctrl+C releases' : `${holdMs / 1000} s, or Ctrl+C, and it is released`
  return (
    `Holding it in the form that Workbench understands. Now run Workbench's locktester on the next node, as the same user: ` +
    `it must say "Unable to acquire" of both locks of ${printable(path)}. ${end}.`
  )
}

export const PATIENCE =
  'The file is locked, and what locked it may have been killed. Watching whether it is refreshed; this takes about a ' +
  'timeout-interval (Ctrl+C ends it).'

export const HELD_BY_US = 'The file is held by another locktester --workbench.'

export function advisoryUntold(status: WorkbenchStatus | null): string {
  return (
    `The link-based lock is held by ${holderText(status)}. Of the advisory lock nothing can be told: the link step of that ` +
    'process has replaced the file that it had locked before, so its advisory lock is worth nothing. To try advisory locks, ' +
    "begin with locktester --workbench and then run Workbench's on the other node."
  )
}

export function linkBasedUntold(status: WorkbenchStatus): string {
  const process =
    status.pid === null ? 'a process that the kernel of this node does not know' : `process ${status.pid} of this node`
  return (
    `The advisory lock is held by ${process}. The link-based lock was not tried: it would replace the file that this ` +
    'process has locked, and both would hold it.'
  )
}

export function freshFile({ path }: WorkbenchStatus, timeoutMs: number): string {
  return (
    `${printable(path)} is empty, and less than a timeout-interval old. Where load-balancer is configured, Workbench's ` +
    'locktester takes such a file, its own, for the lock of another node, and says on the very first node that link-based ' +
    `locks are supported: do not believe that. Run it again once the file is ${duration(timeoutMs)} old, or after this one.`
  )
}

export function noLoadBalancer({ pid }: WorkbenchStatus, directory: string): string {
  return (
    `There is no load-balancer file in ${printable(directory)}: without it Workbench's locktester looks for process ${pid} on ` +
    'its own node, finds none when that runs on another one, and takes the lock as well, so that two nodes may both acquire. ' +
    `Make an empty file ${printable(directory)}/load-balancer on every node for the test, or run locktester --workbench on one of the two.`
  )
}

function holderText(status: WorkbenchStatus | null): string {
  const process = status?.pid == null ? 'a process' : `process ${status.pid}`
  const age = status?.ageMs == null ? '' : ` (refreshed ${duration(status.ageMs)} ago)`
  return `${process} of a node that the file does not name${age}`
}
