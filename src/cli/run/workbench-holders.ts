/** Which process or session holds which of the locks below some paths, one line for each lock that is held. */

import { type LockStatus, Looker, publicPath } from '../locks/look.js'
import type { WorkbenchStatus } from '../locks/look-workbench.js'
import { duration } from '../shared/table.js'

export async function holderLines(paths: readonly string[]): Promise<string[]> {
  const looker = new Looker({ paths, depthMax: Number.POSITIVE_INFINITY })
  try {
    const { locks, workbench } = await looker.look()
    const ours = locks.filter(({ state }) => state === 'held').map((lock) => `${publicPath(lock)}: ${ourHolder(lock)}`)
    const theirs = workbench.filter(({ state, byMountlock }) => state === 'held' && !byMountlock)
    return [...ours, ...theirs.map((lock) => `${lock.path}: ${theirHolder(lock)}`)].sort()
  } finally {
    await looker.close()
  }
}

function ourHolder({ holder }: LockStatus): string {
  const { host = null, pid = null, label = null } = holder ?? {}
  return `held by process ${pid ?? '?'} on ${host ?? '?'}${label === null || label === '' ? '' : ` (${label})`}`
}

function theirHolder({ purpose, session, pid, ageMs }: WorkbenchStatus): string {
  const user = session === null ? `Workbench (${purpose})` : `Workbench's session ${session}`
  const process = pid === null ? '' : `, process ${pid} of a node that it does not name`
  return `held by ${user}${process}${ageMs === null ? '' : `, refreshed ${duration(ageMs)} ago`}`
}
