/**
 * The locker: acquires, waits, releases, whatever the lock type. What it promises: a lock that it returns is held by no other
 * process, as far as the lock type can know (see the README for what each can), `lock.signal` tells when that may have ended,
 * and a call that was given up on leaves nothing held. How a lock is acquired is in `acquisition.ts` and
 * `blocking-acquisition.ts`; what is held is in `held-locks.ts`, what is told of it in `report.ts`.
 */

import { AdvisoryLocks } from '../advisory/advisory-locks.js'
import { Changeover } from '../changeover/changeover.js'
import { closedError, InvalidArgumentError, UnsupportedPlatformError } from '../errors.js'
import { LinkLocks } from '../link/link-locks.js'
import type { Locks } from '../lock-type/lock-type.js'
import { claimFor } from '../protocol/claims.js'
import type {
  AcquireOptions,
  AcquireSyncOptions,
  Inspection,
  Lock,
  Locker,
  LockerOptions,
  LockerSettings,
  TryAcquireOptions,
} from '../types.js'
import { hearFileSizeSignal } from '../drivers/file-size-limit.js'
import { Turns } from '../waiting/turns.js'
import { refusalOfFile, WorkbenchGuard } from '../workbench/guard.js'
import { Acquisition } from './acquisition.js'
import { BlockingAcquisition } from './blocking-acquisition.js'
import { atExit } from './exit.js'
import { HeldLocks } from './held-locks.js'
import { fromCallersLine } from './callers-line.js'
import type { LockHandle } from './handle.js'
import { Patience } from './patience.js'
import { Report } from './report.js'
import { lockerSettings } from './settings.js'

/** Creates a locker. @throws InvalidArgumentError, ConfigError (`strict`), UnsupportedPlatformError */
export function createLocker(options: LockerOptions = {}): Locker {
  if (process.platform === 'win32') {
    throw new UnsupportedPlatformError('mountlock does not work on Windows', 'Run it on Linux, or in WSL 2.')
  }
  hearFileSizeSignal()
  return new LockerOnMounts(lockerSettings(options))
}

/**
 * However short the wait, a first try is made, and has this long: far more than a mount needs that does not hang.
 * Chosen, not measured.
 */
const FIRST_TRY_MS_MAX = 1000

/**
 * On top of what settles a lock in the worst case, so that a waiter sees a takeover through. That takes about a second
 * more (docs/lab.md, "takes over from a killed node").
 */
const DEFAULT_WAIT_EXTRA_MS = 10_000

/** The longest that a timer of Node can wait. */
const WAIT_MS_MAX = 2 ** 31 - 1

class LockerOnMounts implements Locker {
  readonly settings: Readonly<LockerSettings>
  readonly #report: Report
  readonly #locks: Locks
  readonly #held: HeldLocks
  readonly #blocking: BlockingAcquisition
  readonly #turns = new Turns()
  /** Of the acquisitions that are under way. */
  readonly #patiences = new Set<Patience>()
  readonly #forgetExit: () => void
  #closing: Promise<void> | undefined

  constructor(settings: LockerSettings) {
    this.settings = Object.freeze(settings)
    this.#report = new Report(settings)
    this.#locks = new WorkbenchGuard(new Changeover(locksOf(settings, this.#report), settings.lockType), settings.lockType)
    this.#held = new HeldLocks(settings.lockType, this.#defaultWaitMs, this.#report)
    this.#blocking = new BlockingAcquisition(this.#locks, this.#held, this.#report)
    this.#forgetExit = atExit(() => this.#held.endWithProcess())
  }

  get #defaultWaitMs(): number {
    return this.settings.timeoutIntervalMs + this.settings.refreshRateMs + DEFAULT_WAIT_EXTRA_MS
  }

  async acquire(
    path: string,
    { waitMs = this.#defaultWaitMs, signal, shared = false }: AcquireOptions = {},
  ): Promise<LockHandle> {
    this.#check(shared, waitMs)
    const patience = new Patience(path, waitMs, signal, FIRST_TRY_MS_MAX)
    return await this.#patiently(path, patience, async () => {
      const lockable = await patience.run(this.#locks.at(path))
      const acquisition = new Acquisition({ lockable, shared, patience }, this.#held, this.#report)
      return await acquisition.waiting(this.#turns.of(lockable))
    })
  }

  async tryAcquire(path: string, { shared = false }: TryAcquireOptions = {}): Promise<Lock | null> {
    this.#check(shared)
    const patience = new Patience(path, this.#defaultWaitMs)
    return await this.#patiently(path, patience, async () => {
      const lockable = await patience.run(this.#locks.at(path))
      return await new Acquisition({ lockable, shared, patience }, this.#held, this.#report).withoutWaiting()
    })
  }

  /** The patience ends with the work, or when the locker is closed. */
  async #patiently<Result>(path: string, patience: Patience, acquire: () => Promise<Result>): Promise<Result> {
    this.#patiences.add(patience)
    try {
      return await acquire()
    } catch (error) {
      this.#report.notAcquired(path, error)
      throw fromCallersLine(error, this.#patiently)
    } finally {
      this.#patiences.delete(patience)
      patience.done()
    }
  }

  acquireSync(path: string, { waitMs = this.#defaultWaitMs, shared = false }: AcquireSyncOptions = {}): Lock {
    this.#check(shared, waitMs)
    return this.#blockingly(() => this.#blocking.waiting(path, shared, waitMs))
  }

  tryAcquireSync(path: string, { shared = false }: TryAcquireOptions = {}): Lock | null {
    this.#check(shared)
    return this.#blockingly(() => this.#blocking.withoutWaiting(path, shared))
  }

  #blockingly<Result>(acquire: () => Result): Result {
    try {
      return acquire()
    } catch (error) {
      throw fromCallersLine(error, this.#blockingly)
    }
  }

  async withLock<T>(path: string, work: (lock: Lock) => Promise<T> | T, options: AcquireOptions = {}): Promise<T> {
    const lock = await this.acquire(path, options)
    let result: T
    try {
      result = await work(lock)
    } catch (error) {
      await lock.release().catch(() => {}) // the failure of the work is the one to tell
      throw error
    }
    const { lost } = await lock.release()
    if (lost) throw fromCallersLine(lock.loss)
    return result
  }

  async inspect(path: string): Promise<Inspection> {
    this.#check(false)
    const patience = new Patience(path, this.#defaultWaitMs)
    try {
      return await patience.race(this.#locks.inspect(path))
    } catch (error) {
      throw fromCallersLine(error)
    } finally {
      patience.done()
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#forgetExit()
    for (const patience of [...this.#patiences]) patience.end(closedError())
    this.#turns.close()
    await this.#locks.close()
    await this.#report.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #check(shared: boolean, waitMs = 0): void {
    if (this.#closing !== undefined) throw closedError()
    if (shared && this.settings.lockType !== 'advisory') {
      throw new InvalidArgumentError(
        `A ${this.settings.lockType} lock is always exclusive`,
        "Use lockType 'advisory' for shared (read) locks.",
      )
    }
    if (!(waitMs >= 0 && waitMs <= WAIT_MS_MAX)) {
      throw new InvalidArgumentError(
        `Expected \`waitMs\` to be a number from 0 to ${WAIT_MS_MAX}, got ${waitMs}`,
        'Correct the option.',
      )
    }
  }
}

function locksOf(settings: Readonly<LockerSettings>, report: Report): Locks {
  const { lockType, useSymlinks, advisoryKind, refreshRateMs } = settings
  if (lockType === 'advisory') return new AdvisoryLocks(advisoryKind, refreshRateMs, refusalOfFile)
  return new LinkLocks({
    ...settings,
    claim: claimFor(lockType, useSymlinks),
    onRefreshFailed: (path, code) => report.refreshFailed(path, code),
    onReaped: (path, names) => report.reaped(path, names),
  })
}
