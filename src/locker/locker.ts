/**
 * The locker: acquires, waits, releases, whatever the lock type. What it promises: a lock that it returns is held by no other
 * process, as far as the lock type can know (see the README for what each can), `lock.signal` tells when that may have ended,
 * and a call that was given up on leaves nothing held. How a lock is acquired is in `acquisition.ts` and
 * `blocking-acquisition.ts`; what is held is in `held-locks.ts`, what is told of it in `report.ts`.
 */

import { forCaller, fromCallersLine } from '../advice/callers-line.js'
import { AdvisoryLocks } from '../advisory/advisory-locks.js'
import { Changeover } from '../changeover/changeover.js'
import { InvalidArgumentError, LockerClosedError, UnsupportedPlatformError } from '../errors.js'
import { LinkLocks, type LinkLocksOptions } from '../link/link-locks.js'
import type { Lockable, Locks } from '../lock-type/lock-type.js'
import { type ClaimedLockType, claimFor } from '../protocol/claims.js'
import type {
  AcquireOptions,
  AcquireSyncOptions,
  Inspection,
  Lock,
  Locker,
  LockerOptions,
  LockerSettings,
  LockList,
  LockType,
  TryAcquireOptions,
  WorkbenchOptions,
} from '../types.js'
import { checkArgument, checkOptions, type Form, type Forms, SIGNAL, SWITCH } from '../config/options.js'
import { within } from '../drivers/clock.js'
import { hearFileSizeSignal } from '../drivers/file-size-limit.js'
import { ComingsBack } from '../waiting/coming-back.js'
import { refusalOfFile, WorkbenchGuard } from '../workbench/guard.js'
import { WorkbenchLocks } from '../workbench/workbench-locks.js'
import { acquireAll, inOneOrder } from './acquire-all.js'
import { Acquisition } from './acquisition.js'
import { BlockingAcquisition } from './blocking-acquisition.js'
import { atExit } from './exit.js'
import { HeldLocks } from './held-locks.js'
import type { LockHandle } from './handle.js'
import { Patience } from './patience.js'
import { Report } from './report.js'
import { lockerSettings } from './settings.js'

/**
 * Creates a locker. Keep it as long as the program locks, and `close` it at the end: what it holds is released then. With
 * `workbench`, its locks are link-based, and the sessions of Workbench respect them.
 * @throws InvalidArgumentError, ConfigError (`strict`), UnsupportedPlatformError
 */
export function createLocker(options: LockerOptions & { workbench: true | WorkbenchOptions }): Locker<'linkbased'>
/** Creates a locker whose lock type the program names. */
export function createLocker<Type extends LockType>(options: LockerOptions & { lockType: Type }): Locker<Type>
/** Creates a locker with the default lock type, `linkbased`. */
export function createLocker(options?: LockerOptions & { lockType?: undefined; config?: undefined }): Locker<'linkbased'>
/** Creates a locker whose lock type the configuration file may set. */
export function createLocker(options?: LockerOptions): Locker
export function createLocker(options: LockerOptions = {}): Locker {
  if (process.platform === 'win32') {
    throw new UnsupportedPlatformError('mountlock does not work on Windows', 'Run it on Linux, or in WSL 2.')
  }
  hearFileSizeSignal()
  return forCaller(() => new LockerOnMounts(lockerSettings(options)))
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

/** How long closing waits until what was begun is undone. Others remove it as well. Chosen: a mount may hang. */
const UNDONE_MS_MAX = 1000

/** The longest that a timer of Node can wait. */
const WAIT_MS_MAX = 2 ** 31 - 1

const WAIT: Form = {
  isMet: (value) => typeof value === 'number' && value >= 0 && (value <= WAIT_MS_MAX || value === Number.POSITIVE_INFINITY),
  expected: `a number from 0 to ${WAIT_MS_MAX}, or Infinity`,
}
const WORK: Form = { isMet: (value) => typeof value === 'function', expected: 'a function' }
const PATHS: Form = { isMet: Array.isArray, expected: 'an array' }

const WITHOUT_WAITING: Forms<TryAcquireOptions> = { shared: SWITCH }
const BLOCKING: Forms<AcquireSyncOptions> = { waitMs: WAIT, shared: SWITCH }
const WAITING: Forms<AcquireOptions> = { waitMs: WAIT, signal: SIGNAL, shared: SWITCH }
const OPTIONS_OF = {
  acquire: WAITING,
  acquireAll: WAITING,
  withLock: WAITING,
  acquireSync: BLOCKING,
  tryAcquire: WITHOUT_WAITING,
  tryAcquireSync: WITHOUT_WAITING,
} satisfies Record<string, Partial<Forms<AcquireOptions>>>

/** Of all lockers of this thread: whichever of them comes back to a lock, other processes wait for this one. */
const comingsBack = new ComingsBack()

class LockerOnMounts implements Locker {
  readonly settings: Readonly<LockerSettings>
  readonly #report: Report
  readonly #locks: Locks
  readonly #held: HeldLocks
  readonly #blocking: BlockingAcquisition
  /** The acquisitions that are under way. */
  readonly #underWay = new Map<Patience, Promise<unknown>>()
  readonly #forgetExit: () => void
  #closing: Promise<void> | undefined

  constructor(settings: LockerSettings) {
    this.settings = Object.freeze(settings)
    this.#report = new Report(settings)
    this.#locks = locksOf(settings, this.#report)
    this.#held = new HeldLocks(settings.lockType, this.#defaultWaitMs, this.#report)
    this.#blocking = new BlockingAcquisition(this.#locks, this.#held, this.#report)
    this.#forgetExit = atExit(() => this.#held.endWithProcess())
  }

  get #defaultWaitMs(): number {
    return this.settings.timeoutIntervalMs + this.settings.refreshRateMs + DEFAULT_WAIT_EXTRA_MS
  }

  async acquire(path: string, options: AcquireOptions = {}): Promise<LockHandle> {
    const { waitMs, signal, shared } = forCaller(() => this.#read('acquire', options))
    const patience = new Patience(path, waitMs, signal, FIRST_TRY_MS_MAX)
    return await this.#patiently(path, patience, async () => {
      const lockable = await patience.run(this.#locks.at(path))
      return await this.#acquisition(lockable, shared, patience).waiting()
    })
  }

  async acquireAll(paths: readonly string[], options: AcquireOptions = {}): Promise<LockList> {
    const read = forCaller(() => this.#read('acquireAll', options))
    forCaller(() => checkArgument('the paths of `acquireAll`', PATHS, paths))
    const patience = new Patience(paths.join(', '), read.waitMs, read.signal, FIRST_TRY_MS_MAX)
    const wanted = await this.#patiently(paths.join(', '), patience, async () => {
      const keyOf = async (path: string) => (await patience.run(this.#locks.at(path))).key
      return inOneOrder(await Promise.all(paths.map(async (path, place) => ({ path, place, key: await keyOf(path) }))))
    })
    return await acquireAll(wanted, (path, rest) => this.acquire(path, rest), read)
  }

  async tryAcquire(path: string, options: TryAcquireOptions = {}): Promise<Lock | null> {
    const { shared } = forCaller(() => this.#read('tryAcquire', options))
    const patience = new Patience(path, this.#defaultWaitMs)
    return await this.#patiently(path, patience, async () => {
      const lockable = await patience.run(this.#locks.at(path))
      return await this.#acquisition(lockable, shared, patience).withoutWaiting()
    })
  }

  #acquisition(lockable: Lockable, shared: boolean, patience: Patience): Acquisition {
    const comingBack = comingsBack.of(lockable)
    return new Acquisition({ lockable, comingBack, shared, patience }, this.#held, this.#report)
  }

  /** The patience ends with the work, or when the locker is closed. */
  async #patiently<Result>(path: string, patience: Patience, acquire: () => Promise<Result>): Promise<Result> {
    const acquiring = acquire()
    this.#underWay.set(patience, acquiring)
    try {
      return await acquiring
    } catch (error) {
      this.#report.notAcquired(path, error)
      throw fromCallersLine(error, this.#patiently)
    } finally {
      this.#underWay.delete(patience)
      patience.done()
    }
  }

  acquireSync(path: string, options: AcquireSyncOptions = {}): Lock {
    const { waitMs, shared } = forCaller(() => this.#read('acquireSync', options))
    return forCaller(() => this.#blocking.waiting(path, shared, waitMs))
  }

  tryAcquireSync(path: string, options: TryAcquireOptions = {}): Lock | null {
    const { shared } = forCaller(() => this.#read('tryAcquireSync', options))
    return forCaller(() => this.#blocking.withoutWaiting(path, shared))
  }

  async withLock<T>(path: string, work: (lock: Lock) => Promise<T> | T, options: AcquireOptions = {}): Promise<T> {
    forCaller(() => this.#read('withLock', options))
    forCaller(() => checkArgument('the work of `withLock`', WORK, work))
    const lock = await this.acquire(path, options)
    let result: T
    try {
      result = await work(lock)
    } catch (error) {
      await lock.release().catch(() => {}) // the failure of the work is the one to tell
      throw error
    }
    const { lost } = await lock.release()
    if (lost) throw fromCallersLine(lock.tellLoss())
    return result
  }

  async inspect(path: string): Promise<Inspection> {
    const patience = new Patience(path, this.#defaultWaitMs)
    try {
      this.#checkOpen()
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
    const undone = this.#endAll()
    await this.#locks.close()
    await within(UNDONE_MS_MAX, undone)
    await this.#report.close()
  }

  /** Ends what is under way. @returns when it is undone */
  async #endAll(): Promise<void> {
    const underWay = [...this.#underWay.keys()]
    const ended = Promise.allSettled(this.#underWay.values())
    for (const patience of underWay)
      patience.end(new LockerClosedError('This locker is closed, so the call that waited for the lock ends', patience.path))
    await ended
    await Promise.all(underWay.map(({ undone }) => undone))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new LockerClosedError()
  }

  /** The options of a call, checked and complete. */
  #read(call: keyof typeof OPTIONS_OF, options: AcquireOptions) {
    this.#checkOpen()
    checkOptions<AcquireOptions>(call, options, OPTIONS_OF[call] as Forms<AcquireOptions>)
    const { waitMs = this.#defaultWaitMs, signal, shared = false } = options
    if (shared && this.settings.lockType !== 'advisory') {
      throw new InvalidArgumentError(
        `A ${this.settings.lockType} lock is always exclusive`,
        "Use lockType: 'advisory' for shared (read) locks.",
      )
    }
    return { waitMs, signal, shared }
  }
}

/** The changeover never runs on a path of Workbench. */
function locksOf(settings: Readonly<LockerSettings>, report: Report): Locks {
  const { lockType, useSymlinks, advisoryKind, refreshRateMs, workbench } = settings
  if (workbench !== null) {
    const { advisory, timeoutIntervalMs } = workbench
    return new WorkbenchLocks({
      link: linkOptions('linkbased', settings, report),
      useSymlinks,
      advisory,
      timeoutMs: timeoutIntervalMs,
    })
  }
  const locks =
    lockType === 'advisory'
      ? new AdvisoryLocks(advisoryKind, refreshRateMs, refusalOfFile)
      : new LinkLocks(linkOptions(lockType, settings, report))
  return new WorkbenchGuard(new Changeover(locks, lockType), lockType)
}

function linkOptions(lockType: ClaimedLockType, settings: Readonly<LockerSettings>, report: Report): LinkLocksOptions {
  return {
    ...settings,
    lockType,
    claim: claimFor(lockType, settings.useSymlinks),
    onRefreshFailed: (path, code) => report.refreshFailed(path, code),
    onReaped: (path, names) => report.reaped(path, names),
  }
}
