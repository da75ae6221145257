/**
 * The trial of a directory: announces itself, tries each lock, finds the other testers, and cleans up. The order is the
 * point. The record is there before the first lock is tried. It says of each lock that it is held before any other record
 * is judged. It stops claiming the lock before the lock is released.
 */

import { join } from 'node:path'
import { LockTimeoutError } from '../../errors.js'
import { onAbort } from '../../locker/abort-listeners.js'
import { createLocker } from '../../locker/locker.js'
import type { Lock, Locker } from '../../types.js'
import { endsWithin } from '../shared/bounded.js'
import type { TestedLock } from './tested-locks.js'
import { type Neighbour, Neighbours } from './neighbours.js'
import { Presence } from './presence.js'
import { namingOwner, openLockDirectory } from '../shared/state-directory.js'
import type { Finding } from './verdict.js'

export interface TrialListener {
  /** The presence record cannot be written or read. */
  onPresenceFailure(error: unknown): void
  /** A lock is held by something that may be dead; it is being watched. */
  onPatience(tested: TestedLock): void
}

/** How long the clean-up may take: a dead mount must not keep the program from its end. */
const CLEAN_UP_LIMIT_MS = 3000
/** The record gets this in any case: the locks may lie on a mount that is dead, and it on one that is not. */
const REMOVAL_LIMIT_MS = 1000

export class Trial {
  readonly #directory: string
  readonly #signal: AbortSignal
  readonly #listener: TrialListener
  readonly #presence: Presence
  readonly #neighbours: Neighbours
  readonly #lockers: Locker[] = []
  readonly #held = new Map<string, Lock>()

  constructor(directory: string, signal: AbortSignal, listener: TrialListener) {
    this.#directory = directory
    this.#signal = signal
    this.#listener = listener
    this.#presence = new Presence(directory, (error) => listener.onPresenceFailure(error))
    this.#neighbours = new Neighbours(this.#presence)
  }

  async announce(tested: readonly TestedLock[]): Promise<void> {
    await this.#presence.publish(tested.map(({ path }) => path))
    // From now on it is seen whose records move.
    await this.#neighbours.look().catch((error) => this.#listener.onPresenceFailure(error))
  }

  async tryLock(tested: TestedLock): Promise<Finding> {
    try {
      await openLockDirectory(this.#directory)
      this.#signal.throwIfAborted() // the clean-up may have begun meanwhile, and would not know of the lock
      const locker = createLocker(tested.options)
      this.#lockers.push(locker)
      const path = join(this.#directory, tested.path)
      const lock = await locker.tryAcquire(path)
      if (lock !== null) return await this.#acquired(tested, lock)
      return await this.#refused(tested, locker, path)
    } catch (error) {
      await this.#presence.givenUp(tested.path)
      return { tested, result: 'failed', error: await namingOwner(error, this.#directory) }
    }
  }

  /** Finds, for each acquired lock, the neighbours that hold it too. */
  async findDoubleHolders(findings: readonly Finding[]): Promise<void> {
    const doubles = await this.doubleHolders()
    for (const finding of findings) {
      if (finding.result !== 'acquired') continue
      finding.alsoHeldBy = doubles.filter(({ record }) => record.claims[finding.tested.path] === 'held')
    }
  }

  /** The neighbours that hold any of our locks too, provably at the same time. */
  async doubleHolders(): Promise<Neighbour[]> {
    const stillHeld = () => [...this.#held].filter(([, lock]) => lock.held).map(([path]) => path)
    const doubles = await this.#neighbours.alsoHolding(stillHeld())
    const paths = stillHeld() // a lock that we lost meanwhile proves nothing
    return doubles.filter(({ record }) => paths.some((path) => record.claims[path] === 'held'))
  }

  /** The other testers that are alive; strangers (other users) get time to show it. */
  aliveNeighbours(isStranger: (neighbour: Neighbour) => boolean): Promise<Neighbour[]> {
    return this.#neighbours.alive(isStranger)
  }

  /** Resolves with the first lock that may have been lost. */
  firstLost(): Promise<Lock> {
    return new Promise((resolve) => {
      for (const lock of this.#held.values()) {
        onAbort(lock.signal, () => resolve(lock))
      }
    })
  }

  /** Removes the record, and claims nothing any more. The locks are released when the process ends. */
  async withdraw(): Promise<void> {
    await endsWithin(CLEAN_UP_LIMIT_MS, this.#presence.withdraw())
    await this.#presence.remove(REMOVAL_LIMIT_MS)
  }

  /** Releases everything and removes the record. @returns false if something did not come to its end in time */
  async end(): Promise<boolean> {
    const deadline = performance.now() + CLEAN_UP_LIMIT_MS
    const remainingMs = () => Math.max(0, deadline - performance.now())
    const withdrawn = await endsWithin(remainingMs(), this.#presence.withdraw())
    const closed = await endsWithin(remainingMs(), Promise.allSettled(this.#lockers.map((locker) => locker.close())))
    const removed = await this.#presence.remove(Math.max(remainingMs(), REMOVAL_LIMIT_MS))
    return withdrawn && closed && removed
  }

  async #acquired(tested: TestedLock, lock: Lock): Promise<Finding> {
    this.#held.set(tested.path, lock)
    await this.#presence.acquired(tested.path, () => lock.held)
    return { tested, result: 'acquired', alsoHeldBy: [] }
  }

  async #refused(tested: TestedLock, locker: Locker, path: string): Promise<Finding> {
    const heldBy = await this.#neighbours.holderOf(tested.path)
    // A lock of ours, unlike the kernel's, outlives the crash of its holder until a process has watched it long enough. A
    // verdict on a dead holder would be worthless. So watch, unless a living tester claims the lock.
    if (heldBy === null && tested.family !== 'advisory') {
      this.#listener.onPatience(tested)
      try {
        return await this.#acquired(tested, await locker.acquire(path, { signal: this.#signal }))
      } catch (error) {
        if (!(error instanceof LockTimeoutError)) throw error
      }
    }
    await this.#presence.givenUp(tested.path)
    return { tested, result: 'excluded', heldBy: heldBy ?? (await this.#neighbours.holderOf(tested.path)) }
  }
}
