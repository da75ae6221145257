/** A process that holds one lock and can be killed while it does. */

import { LockTimeoutError } from '../../errors.js'
import { createLocker } from '../../locker/locker.js'
import type { Lock, Locker, LockerOptions } from '../../types.js'
import type { Answering } from '../remote/worker.js'

/** What came of an attempt. */
export type Outcome = { outcome: 'acquired'; token: string | null } | { outcome: 'busy'; heldBy: string | null }

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
    held: () => lock?.held ?? false,
    async release() {
      await lock?.release()
      lock = null
    },
  }

  function acquired(now: Lock): Outcome {
    lock = now
    return { outcome: 'acquired', token: now.token === null ? null : String(now.token) }
  }

  return { answers, close: async () => await locker?.close() }
}
