/** Where the lab keeps things: what was downloaded and built stays in the cache, what belongs to one running lab in its run directory. */

import { existsSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package under test; the guests see it, read-only, as {@link GUEST_REPOSITORY}. */
export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
export const GUEST_REPOSITORY = '/repo'

/** `MOUNTLOCK_LAB_CACHE`, or a directory in the user's cache. */
export function cacheDirectory(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return process.env.MOUNTLOCK_LAB_CACHE || join(cache, 'mountlock-lab')
}

export const packageDirectory = (): string => join(cacheDirectory(), 'packages')

/**
 * Where the one lab of the command line runs, or one of the suite's: `MOUNTLOCK_LAB_RUN`, or a directory in memory, because the
 * disks of the guests are there, and they sync a lot.
 */
export function runDirectory(suite = ''): string {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const run = process.env.MOUNTLOCK_LAB_RUN || join(memory, `mountlock-lab-${process.getuid?.() ?? 0}`)
  return suite === '' ? run : `${run}-${suite}`
}

export const runFiles = (directory: string) => ({
  control: join(directory, 'control.sock'),
  log: join(directory, 'daemon.log'),
  processes: join(directory, 'processes.json'),
  switch: join(directory, 'switch.sock'),
  console: (node: string) => join(directory, `${node}.console`),
  disk: (name: string) => join(directory, `${name}.ext4`),
})
