/** A lab for one file, of other machines than those of the suite, and beside them. */

import { afterAll, inject } from 'vitest'
import type { LabClient } from '../lab/client.js'
import type { LabOptions } from '../lab/up-and-down.js'
import { down, up } from '../lab/up-and-down.js'

/** Boots it; it goes down after the tests of the file, or with this process. @throws LabError */
export async function bootOwnLab(name: string, options: Partial<LabOptions>): Promise<LabClient> {
  const run = `${inject('labRuns')[0]}-${name}`
  await down(run)
  const lab = await up({ run, leaseS: 10, ...options })
  await lab.own()
  afterAll(async () => {
    await lab.down()
    lab.close()
  })
  return lab
}
