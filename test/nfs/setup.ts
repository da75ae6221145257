/**
 * Boots a lab for each worker of a project before its tests, and takes them down afterwards. They belong to this process: they
 * end with it, however that ends.
 */

import { rmSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { ACCELERATORS, acceleratorNamed } from './lab/accelerators.js'
import { LabClient } from './lab/client.js'
import { versionOf } from './lab/packages.js'
import { packageDirectory, runDirectory } from './lab/paths.js'
import { LabError } from './lab/tools.js'
import { down, up } from './lab/up-and-down.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the labs run, one for each worker. */
    labRuns: string[]
    /** What the results were won with, in words. */
    labVersions: string
  }
}

/** Short, so that tests may wait for it. */
const LEASE_S = 10

const accelerator = acceleratorNamed(process.env.MOUNTLOCK_LAB_ACCEL ?? 'uml')

export default async function setup({ name, config, provide }: TestProject): Promise<() => Promise<void>> {
  const runs = Array.from({ length: Number(config.maxWorkers) }, (_, index) => runDirectory(`${name}-${index + 1}`))
  const labs: LabClient[] = []
  // One after the other: the first one fills the cache.
  for (const run of runs) labs.push(await inTurn(() => boot(run)))
  provide('labRuns', runs)
  provide('labVersions', await versions(labs[0] as LabClient))
  return async () => {
    for (const [index, lab] of labs.entries()) {
      await lab.down()
      lab.close()
      rmSync(runs[index] as string, { recursive: true, force: true })
    }
  }
}

async function boot(run: string): Promise<LabClient> {
  await endLeftover(run)
  const lab = await up({ run, leaseS: LEASE_S, accelerator })
  await lab.own()
  return lab
}

/** Each project has a copy of this module, and they are all set up at the same time. */
const LAST_BOOT = Symbol.for('mountlock.lab.boot')
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const holder = globalThis as { [LAST_BOOT]?: Promise<unknown> }
  const result = (holder[LAST_BOOT] ?? Promise.resolve()).then(work)
  holder[LAST_BOOT] = result.catch(() => {})
  return result
}

/** A lab whose run was killed ends by itself, unless its daemon was killed too. One that answers belongs to another run. */
async function endLeftover(run: string): Promise<void> {
  const running = await LabClient.connect(run).catch(() => null)
  if (running !== null) {
    running.close()
    throw new LabError('Another run of this suite is under way on this machine: wait for its end')
  }
  await down(run)
}

async function versions(lab: LabClient): Promise<string> {
  const kernel = (await lab.exec('server', 'uname -r')).trim()
  const debian = (name: string) => `${name} ${versionOf(name, packageDirectory())}`
  const machines = `Linux ${kernel} (${ACCELERATORS[accelerator].inWords}) on the server and on both nodes`
  return `${machines}; ${debian('nfs-kernel-server')}, ${debian('nfs-common')}`
}
