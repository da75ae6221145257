/** The link-based lock type: runs the protocol on real directories, with sessions that the heartbeat threads keep alive. */

import { readClock } from '../drivers/clock.js'
import { already, runAsynchronously, type Work } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { LockerClosedError } from '../errors.js'
import { type LockPath, lockPath } from '../lock-type/lock-path.js'
import type { Lockable, Locks } from '../lock-type/lock-type.js'
import { Directories } from '../mounts/directories.js'
import { inspect } from '../protocol/inspect.js'
import { type BreakOutcome, breakHolder, type PruneOutcome, prune } from '../protocol/maintain.js'
import type { Protocol } from '../protocol/operations.js'
import type { Session } from '../protocol/session.js'
import type { Claim, Site } from '../protocol/site.js'
import type { Inspection, LockType } from '../types.js'
import { toInspection } from './inspection.js'
import { KnownLock } from './known-lock.js'
import { LockDirectory, type LockDirectoryOptions } from './lock-directory.js'
import { foreignError, unsafeClaim } from './refusals.js'
import { seeWaiters } from './waiters.js'

export interface LinkLocksOptions extends Omit<LockDirectoryOptions, 'countsLinks' | 'onSession'> {
  lockType: LockType
  claim: Claim
}

/** More locks than this are not remembered. Chosen: at some 500 bytes each that is 10 MB. */
const LOCKS_MAX = 20_000

/**
 * Looks for idle sessions in a timeout-interval, at the most: each goes through all directories. Chosen: an idle
 * session lives a quarter of an interval longer than it might.
 */
const IDLE_LOOKS = 4

export class LinkLocks implements Locks {
  readonly #options: LinkLocksOptions
  readonly #claim: Claim
  /** Which device each directory is on. */
  readonly #devices = new Directories()
  readonly #directories = new Map<string, LockDirectory>()
  readonly #locks = new Map<string, KnownLock>()
  #endedIdleMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: LinkLocksOptions) {
    this.#options = options
    this.#claim = options.claim
  }

  at(path: string): Work<Lockable> {
    const parts = lockPath(path)
    const known = this.#locks.get(parts.path)
    return known === undefined ? this.#firstAt(parts) : already(this.#lockable(known))
  }

  *#firstAt(parts: LockPath): Work<Lockable> {
    return this.#lockable(yield* this.#lock(parts))
  }

  #lockable(lock: KnownLock): KnownLock {
    const refusal = unsafeClaim(this.#claim, lock.path, lock.directory.facts)
    if (refusal !== null) throw refusal
    return lock
  }

  async inspect(path: string): Promise<Inspection> {
    const lock = await runAsynchronously(this.#lock(lockPath(path)))
    await runAsynchronously(lock.refuseMount())
    const outcome = await lock.directory.runAsynchronously(inspect(lock.site))
    if (outcome.kind === 'foreign') throw foreignError(lock.path, outcome.what)
    if (outcome.kind === 'failed') {
      const { code: errno, error: cause } = outcome
      throw fileSystemError({
        action: 'list',
        path: lock.path,
        errno,
        means: this.#claim.name,
        fileSystem: lock.fileSystem,
        cause,
      })
    }
    const { inspection } = outcome
    const { waiters, lockChangedMs } = await lock.directory.runAsynchronously(seeWaiters(lock.site, inspection.generation))
    const sinceMs =
      lockChangedMs !== null && inspection.sinceMs !== null ? Math.min(lockChangedMs, inspection.sinceMs) : inspection.sinceMs
    return toInspection({ path: lock.path, lockType: this.#options.lockType, waiters }, { ...inspection, sinceMs })
  }

  /** Takes a lock from its holder, if that is the one with this token. For administrators. */
  breakHolder(path: string, token: bigint): Promise<BreakOutcome> {
    return this.#maintain(path, (site, session) => breakHolder(site, session, token))
  }

  /** Removes a lock that no process holds or waits for. For administrators. */
  async prune(path: string): Promise<PruneOutcome> {
    const lock = await runAsynchronously(this.#lock(lockPath(path)))
    const { waiters } = await lock.directory.runAsynchronously(seeWaiters(lock.site, null))
    if (waiters.length === 0) return await this.#maintain(path, prune)
    const why = `it is waited for, by ${waiters.length === 1 ? 'a process' : `${waiters.length} processes`}`
    return { kind: 'failed', outcome: { kind: 'busy', generation: null, holder: null, why } }
  }

  async #maintain<Outcome>(path: string, protocol: (site: Site, session: Session) => Protocol<Outcome>): Promise<Outcome> {
    const lock = await runAsynchronously(this.#lock(lockPath(path)))
    await runAsynchronously(lock.refuseMount())
    const session = await runAsynchronously(lock.directory.session())
    session.enter()
    try {
      const outcome = await lock.directory.runAsynchronously(protocol(lock.site, session.file), session)
      lock.settleLater(session)
      return outcome
    } finally {
      session.leave()
    }
  }

  *#lock(parts: LockPath): Work<KnownLock> {
    const directory = this.#directories.get(parts.directory) ?? (yield* this.#firstLook(parts.directory))
    const known = this.#locks.get(parts.path)
    if (known !== undefined) return known
    this.#forgetSome()
    const lock = new KnownLock(directory, parts, this.#claim)
    this.#locks.set(parts.path, lock)
    return lock
  }

  *#firstLook(path: string): Work<LockDirectory> {
    const facts = yield* this.#devices.look(path)
    if (this.#isClosed) throw new LockerClosedError()
    // Another caller may have been here while this one waited.
    const known = this.#directories.get(path)
    if (known !== undefined) return known
    const directory = new LockDirectory(path, facts, this.#devices, {
      ...this.#options,
      countsLinks: this.#claim.countsLinks,
      onSession: () => this.#endIdle(),
    })
    this.#directories.set(path, directory)
    return directory
  }

  /**
   * The patrols do this as well, but their timers wait for an event loop that a program of blocking calls may never
   * return to.
   */
  #endIdle(): void {
    const { ownMs } = readClock()
    if (ownMs - this.#endedIdleMs < this.#options.timeoutIntervalMs / IDLE_LOOKS) return
    this.#endedIdleMs = ownMs
    for (const directory of this.#directories.values()) directory.endIdle()
  }

  #forgetSome(): void {
    if (this.#locks.size < LOCKS_MAX) return
    for (const [path, lock] of this.#locks) {
      if (!lock.mayBeForgotten) continue
      this.#locks.delete(path)
      if (lock.directory.isIdle) this.#directories.delete(lock.directory.path)
      return
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const directories = [...this.#directories.values()]
    this.#directories.clear()
    this.#locks.clear()
    await Promise.all(directories.map((directory) => directory.close()))
  }
}
