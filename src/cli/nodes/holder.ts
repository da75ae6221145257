/** A process that holds one lock and can be killed while it does. */

import { LockTimeoutError } from '../../errors.js'
import { createLocker } from '../../locker.js'
import type { Lock, Locker, LockerOptions } from '../../types.js'

/** What came of an attempt. */
export type Outcome = { outcome: 'acquired'; token: string | null } | { outcome: 'busy'; heldBy: string | null }

export class Holder {
  #locker: Locker | null = null
  #path = ''
  #lock: Lock | null = null

  async answer(op: string, args: Record<string, unknown>): Promise<unknown> {
    switch (op) {
      case 'open':
        this.#locker = createLocker(args.options as LockerOptions)
        this.#path = args.path as string
        return null
      case 'try':
        return await this.#try()
      case 'acquire':
        return await this.#acquire(args.waitMs as number)
      case 'held':
        return this.#lock?.held ?? false
      case 'release': {
        const released = await this.#lock?.release()
        this.#lock = null
        return released ?? { lost: true }
      }
      default:
        throw new Error(`unknown question: ${op}`)
    }
  }

  async close(): Promise<void> {
    await this.#locker?.close()
  }

  async #try(): Promise<Outcome> {
    const locker = this.#locker as Locker
    const lock = await locker.tryAcquire(this.#path)
    if (lock !== null) return this.#acquired(lock)
    const { state, ...seen } = await locker.inspect(this.#path)
    const holder = state !== 'free' && 'holder' in seen ? seen.holder : null
    const isKnown = holder !== null && holder.host !== null
    return { outcome: 'busy', heldBy: isKnown ? `${holder.host} pid ${holder.pid}` : null }
  }

  async #acquire(waitMs: number): Promise<Outcome> {
    try {
      return this.#acquired(await (this.#locker as Locker).acquire(this.#path, { waitMs }))
    } catch (error) {
      if (error instanceof LockTimeoutError) return { outcome: 'busy', heldBy: null }
      throw error
    }
  }

  #acquired(lock: Lock): Outcome {
    this.#lock = lock
    return { outcome: 'acquired', token: lock.token === null ? null : String(lock.token) }
  }
}
