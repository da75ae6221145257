/** A process that holds one lock and can be killed while it does. */

import { unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomName } from '../../drivers/identity.js'
import { LockLostError, LockTimeoutError, type LostReason } from '../../errors.js'
import { createLocker } from '../../locker/locker.js'
import type { Lock, Locker, LockerOptions } from '../../types.js'
import type { Answering } from '../remote/worker.js'

/** What came of an attempt. */
export type Outcome = { outcome: 'acquired'; token: string | null } | { outcome: 'busy'; heldBy: string | null }

/** Whether it holds, and if it has lost the lock, why. */
export interface Holding {
  held: boolean
  lost: LostReason | null
}

export type Release = Pick<Holding, 'lost'>

export function holder(): Answering {
  let locker: Locker
  let path: string
  let lock: Lock | null = null

  const answers = {
    open(args: { options: LockerOptions; path: string }) {
      locker = createLocker(args.options)
      path = args.path
    },
    async try(): Promise<Outcome> {
      const tried = await locker.tryAcquire(path)
      if (tried !== null) return acquired(tried)
      const { state, ...seen } = await locker.inspect(path)
      const holder = state !== 'free' && 'holder' in seen ? seen.holder : null
      const isKnown = holder !== null && holder.host !== null
      return { outcome: 'busy', heldBy: isKnown ? `${holder.host} pid ${holder.pid}` : null }
    },
    async acquire({ waitMs }: { waitMs: number }): Promise<Outcome> {
      try {
        return acquired(await locker.acquire(path, { waitMs }))
      } catch (error) {
        if (error instanceof LockTimeoutError) return { outcome: 'busy', heldBy: null }
        throw error
      }
    },
    held: (): Holding => ({ held: lock?.held ?? false, lost: lock === null ? null : reasonOf(lock) }),
    /** Makes a file beside the lock and removes it: the answer takes as long as this process and its file server do. */
    look: () => touch(join(dirname(path), `look-${randomName()}`)),
    /** Whether it was still ours, and if not, why. */
    async release(): Promise<Release> {
      const held = lock
      lock = null
      if (held === null) return { lost: null }
      const { lost } = await held.release()
      return { lost: lost ? reasonOf(held) : null }
    },
  }

  function acquired(now: Lock): Outcome {
    lock = now
    return { outcome: 'acquired', token: now.token === null ? null : String(now.token) }
  }

  function reasonOf({ signal }: Lock): LostReason | null {
    return signal.reason instanceof LockLostError ? signal.reason.reason : null
  }

  return { answers, close: async () => await locker?.close() }
}

/** A refusal takes as long as a success. */
async function touch(path: string): Promise<void> {
  await writeFile(path, '').catch(() => {})
  await unlink(path).catch(() => {})
}
