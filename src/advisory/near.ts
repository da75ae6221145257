/** Whether an advisory lock that is busy is held on this node. */

import { type BigIntStats, stat } from 'node:fs'
import type { Lane } from '../drivers/lane.js'
import type { AdvisoryCall } from '../types.js'
import { findKernelLocks } from './kernel-locks.js'

/** As far as this process can see: a holder in another container counts as far away. */
export async function isHeldHere(path: string, calls: readonly AdvisoryCall[], lane: Lane): Promise<boolean> {
  try {
    const file = await lane.run<BigIntStats>((done) => stat(path, { bigint: true }, done))
    for (const call of calls) if ((await findKernelLocks(call, file, lane))?.length) return true
    return false
  } catch {
    return false // gone meanwhile
  }
}
