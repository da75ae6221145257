/**
 * Several locks, all or none. Two processes that take the same locks in different orders wait for each other, so all take them
 * in one order: by the names of the locks, which are the same on every node whatever the mount point, then by what else tells
 * them apart on this one.
 */

import { basename } from 'node:path'
import { monotonicMs } from '../drivers/clock.js'
import { AbortError, InvalidArgumentError, LockLostError } from '../errors.js'
import type { AcquireOptions, Lock, LockList, ReleaseResult } from '../types.js'

/** One of several locks: its place in the list of the caller, and what all names of it have in common. */
export interface Wanted {
  path: string
  key: string
  place: number
}

/** @throws InvalidArgumentError when two paths lead to one lock: it would wait for itself */
export function inOneOrder(wanted: readonly Wanted[]): Wanted[] {
  const byKey = new Map<string, Wanted>()
  for (const one of wanted) {
    const same = byKey.get(one.key)
    if (same !== undefined)
      throw new InvalidArgumentError(`\`acquireAll\` was given one lock twice, ${same.path} and ${one.path}`, 'Leave one out.')
    byKey.set(one.key, one)
  }
  return wanted.toSorted((a, b) => compare(basename(a.path), basename(b.path)) || compare(a.key, b.key))
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b))

/** @throws what `acquire` throws, LockLostError; then none is held */
export async function acquireAll(
  ordered: readonly Wanted[],
  acquire: (path: string, options: AcquireOptions) => Promise<Lock>,
  { waitMs, signal, shared = false }: AcquireOptions & { waitMs: number },
): Promise<LockList> {
  const deadlineMs = monotonicMs() + waitMs
  const list = new HeldTogether()
  try {
    for (const { path, place } of ordered) {
      const signals = [...list.signals, ...(signal === undefined ? [] : [signal])]
      const restMs = Math.max(0, deadlineMs - monotonicMs())
      list.add(await acquire(path, { waitMs: restMs, signal: AbortSignal.any(signals), shared }), place)
    }
    list.assertHeld()
    return list.inOrderOfCaller()
  } catch (error) {
    const lost = error instanceof AbortError ? list.lossIn(error) : null
    await list.release().catch(() => {}) // why they were not acquired is what to tell
    throw lost ?? error
  }
}

class HeldTogether {
  readonly #locks: { lock: Lock; place: number }[] = []

  add(lock: Lock, place: number): void {
    this.#locks.push({ lock, place })
  }

  get signals(): AbortSignal[] {
    return this.#locks.map(({ lock }) => lock.signal)
  }

  assertHeld(): void {
    for (const { lock } of this.#locks) lock.assertHeld()
  }

  lossIn({ cause }: AbortError): LockLostError | null {
    const isOurs = this.signals.some(({ aborted, reason }) => aborted && reason === cause)
    return isOurs && cause instanceof LockLostError ? cause : null
  }

  /** The last one first. Each is released, whatever becomes of the others; then the first failure is told. */
  async release(): Promise<ReleaseResult> {
    const results = []
    for (const { lock } of this.#locks.toReversed()) results.push(...(await Promise.allSettled([lock.release()])))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return { lost: results.some((result) => result.status === 'fulfilled' && result.value.lost) }
  }

  /** The result of a release is not seen here: a loss must not pass for a release. */
  async dispose(): Promise<void> {
    if (!(await this.release()).lost) return
    throw this.signals.find(({ reason }) => reason instanceof LockLostError)?.reason
  }

  inOrderOfCaller(): LockList {
    const locks = this.#locks.toSorted((a, b) => a.place - b.place).map(({ lock }) => lock)
    return Object.defineProperties(locks, {
      release: { value: () => this.release() },
      [Symbol.asyncDispose]: { value: () => this.dispose() },
    }) as unknown as LockList
  }
}
