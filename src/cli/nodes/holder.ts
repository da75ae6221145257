/** A process that holds one lock and can be killed while it does. */

import { unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { assert } from '../../assert.js'
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

export class Holder implements Answering {
  #locker: Locker | null = null
  #path = ''
  #lock: Lock | null = null

  readonly answers = {
    open: ({ options, path }: { options: LockerOptions; path: string }) => {
      this.#locker = createLocker(options)
      this.#path = path
    },
    try: () => this.#try(),
    acquire: ({ waitMs }: { waitMs: number }) => this.#acquire(waitMs),
    held: (): Holding => ({ held: this.#lock?.held ?? false, lost: this.#lock === null ? null : reasonOf(this.#lock) }),
    /** Makes a file beside the lock and removes it: the answer takes as long as this process and its file server do. */
    look: () => touch(join(dirname(this.#path), `look-${randomName()}`)),
    release: () => this.#release(),
  }

  async close(): Promise<void> {
    await this.#locker?.close()
  }

  get #opened(): Locker {
    assert(this.#locker !== null, 'a holder that was told which lock', this.#path)
    return this.#locker
  }

  async #try(): Promise<Outcome> {
    const tried = await this.#opened.tryAcquire(this.#path)
    if (tried !== null) return this.#acquired(tried)
    const { state, ...seen } = await this.#opened.inspect(this.#path)
    const holder = state !== 'free' && 'holder' in seen ? seen.holder : null
    const isKnown = holder !== null && holder.host !== null
    return { outcome: 'busy', heldBy: isKnown ? `${holder.host} pid ${holder.pid}` : null }
  }

  async #acquire(waitMs: number): Promise<Outcome> {
    try {
      return this.#acquired(await this.#opened.acquire(this.#path, { waitMs }))
    } catch (error) {
      if (error instanceof LockTimeoutError) return { outcome: 'busy', heldBy: null }
      throw error
    }
  }

  #acquired(lock: Lock): Outcome {
    this.#lock = lock
    return { outcome: 'acquired', token: lock.token === null ? null : String(lock.token) }
  }

  /** Whether it was still ours, and if not, why. */
  async #release(): Promise<Release> {
    const held = this.#lock
    this.#lock = null
    if (held === null) return { lost: null }
    const { lost } = await held.release()
    return { lost: lost ? reasonOf(held) : null }
  }
}

function reasonOf({ signal }: Lock): LostReason | null {
  return signal.reason instanceof LockLostError ? signal.reason.reason : null
}

/** A refusal takes as long as a success. */
async function touch(path: string): Promise<void> {
  await writeFile(path, '').catch(() => {})
  await unlink(path).catch(() => {})
}
