/** Boots the lab before the tests and takes it down afterwards. It belongs to this process: it ends with it, however that ends. */

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
    labRun: string
    /** What the results were won with, in words. */
    labVersions: string
  }
}

/** Short, so that tests may wait for it. */
const LEASE_S = 10

const accelerator = acceleratorNamed(process.env.MOUNTLOCK_LAB_ACCEL ?? 'uml')

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const run = runDirectory('nfs-tests')
  await endLeftover(run)
  const lab = await up({ run, leaseS: LEASE_S, accelerator })
  await lab.own()
  provide('labRun', run)
  provide('labVersions', await versions(lab))
  return async () => {
    await lab.down()
    lab.close()
    rmSync(run, { recursive: true, force: true })
  }
}

/** A lab whose run was killed ends by itself, unless its daemon was killed too. One that answers belongs to somebody. */
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
