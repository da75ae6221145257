/** Where it was measured: without that, a figure says nothing. Neither host name nor paths, so that it can be published. */

import { readFileSync, realpathSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  processor: string
  processors: number
  memoryGiB: number
  system: string
  kernel: string
  node: string
  /** The one-minute load averages before and after: above zero, something else was running. */
  loadBefore: number
  loadAfter: number
}

export function describeMachine(loadBefore: number): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: systemName(),
    kernel: release(),
    node: process.version,
    loadBefore,
    loadAfter: load(),
  }
}

export const load = (): number => Number((loadavg()[0] ?? 0).toFixed(2))

function systemName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform
  } catch {
    return process.platform
  }
}

/** The type of the file system that a directory is on, as mount(8) calls it: `ext4`, `nfs4`. */
export function fileSystemType(directory: string): string {
  let found = { mountPoint: '', type: 'unknown' }
  try {
    const path = `${realpathSync(directory)}/`
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      const [before = '', after = ''] = line.split(' - ')
      const mountPoint = (before.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, code) =>
        String.fromCharCode(Number.parseInt(code, 8)),
      )
      const inside = path.startsWith(mountPoint.endsWith('/') ? mountPoint : `${mountPoint}/`)
      // What was mounted later hides what was there before.
      if (inside && mountPoint.length >= found.mountPoint.length) found = { mountPoint, type: after.split(' ')[0] ?? 'unknown' }
    }
  } catch {
    // Not Linux: the figures are as good without a name.
  }
  return found.type
}
