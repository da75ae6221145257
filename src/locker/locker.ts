/**
 * The locker: acquires, waits, releases, whatever the lock type. What it promises: a lock that it returns is held by
 * nobody else, as far as the lock type can know (see the README for what each can), `lock.signal` tells when that may
 * have ended, and a call that was given up on leaves nothing held.
 */

import { dirname, resolve } from 'node:path'
import { AdvisoryLocks } from '../advisory/advisory-locks.js'
import { Announcement } from '../waiting/announcement.js'
import { Changeover } from '../changeover/changeover.js'
import { Directories } from '../mounts/directories.js'
import type { Lane } from '../drivers/lane.js'
import { mountOfDevice } from '../mounts/mount.js'
import { runAsynchronously, runBlocking } from '../drivers/work.js'
import {
  AbortError,
  closedError,
  InvalidArgumentError,
  LockLostError,
  LockTimeoutError,
  type LostReason,
  UnsupportedPlatformError,
} from '../errors.js'
import { atExit } from './exit.js'
import type { Lockable, Locks, TryOutcome } from '../lock-type/lock-type.js'
import { LinkLocks } from '../link/link-locks.js'
import { LockHandle, type LockKeeper } from './handle.js'
import { hasSubscribers, publish } from '../log/channels.js'
import type { LockEvent } from '../log/events.js'
import { createLogger, type Logger } from '../log/logger.js'
import { Patience } from './patience.js'
import { hardLinkClaim } from '../protocol/claim-hard-link.js'
import { renameClaim } from '../protocol/claim-rename.js'
import { symlinkClaim } from '../protocol/claim-symlink.js'
import { Place } from './queue.js'
import { lockerSettings } from './settings.js'
import { type Turn, Turns } from '../waiting/turns.js'
import type {
  AcquireOptions,
  AcquireSyncOptions,
  Inspection,
  Lock,
  Locker,
  LockerOptions,
  LockerSettings,
  ReleaseResult,
  TryAcquireOptions,
} from '../types.js'
import { Backoff, sleepBlocking, Waiter } from '../waiting/waiter.js'

/** Creates a locker. @throws InvalidArgumentError, ConfigError (`strict`), UnsupportedPlatformError */
export function createLocker(options: LockerOptions = {}): Locker {
  if (process.platform === 'win32') {
    throw new UnsupportedPlatformError('mountlock does not work on Windows', 'Run it on Linux, or in WSL 2.')
  }
  return new LockerOnMounts(lockerSettings(options))
}

/** What goes with a held lock in this process. */
interface Keeping {
  place: Place | null
  turn: Turn | undefined
}

/** However short the wait, a first try is made, and has this long: far more than a mount needs that does not hang. */
const FIRST_TRY_MS_MAX = 1000

/** On top of what settles a lock in the worst case, so that a waiter sees a takeover through. */
const DEFAULT_WAIT_EXTRA_MS = 10_000

class LockerOnMounts implements Locker, LockKeeper {
  readonly settings: Readonly<LockerSettings>
  readonly #locks: Locks
  readonly #logger: Logger
  readonly #held = new Map<LockHandle, Keeping>()
  readonly #forgetExit: () => void
  readonly #turns = new Turns()
  readonly #directories = new Directories()
  #closing: Promise<void> | undefined

  constructor(settings: LockerSettings) {
    this.settings = Object.freeze(settings)
    const backend =
      settings.lockType === 'advisory' ? new AdvisoryLocks(settings.advisoryKind, settings.refreshRateMs) : this.#linkLocks()
    this.#locks = new Changeover(backend, settings.lockType)
    this.#logger = createLogger(settings)
    this.#forgetExit = atExit(() => this.#endWithProcess())
  }

  #linkLocks(): LinkLocks {
    return new LinkLocks({
      ...this.settings,
      claim: this.settings.lockType === 'renamebased' ? renameClaim : this.settings.useSymlinks ? symlinkClaim : hardLinkClaim,
      onRefreshFailed: (path, code) => this.#report({ event: 'refresh', path, outcome: 'failed', detail: code }),
      onReaped: (path, names) => this.#report({ event: 'reap', path, outcome: 'reaped', detail: names.join(' ') }),
    })
  }

  get lockType() {
    return this.settings.lockType
  }

  get releaseMsMax(): number {
    return this.#defaultWaitMs
  }

  get #defaultWaitMs(): number {
    return this.settings.timeoutIntervalMs + this.settings.refreshRateMs + DEFAULT_WAIT_EXTRA_MS
  }

  async acquire(path: string, { waitMs = this.#defaultWaitMs, signal, shared = false }: AcquireOptions = {}): Promise<Lock> {
    this.#check(shared, waitMs)
    const lock = await this.#acquire(path, shared, new Patience(path, waitMs, signal, FIRST_TRY_MS_MAX), true)
    if (lock === null) throw new LockTimeoutError(path, waitMs, HELD) // not reached: who waits is given a lock or an error
    return lock
  }

  async tryAcquire(path: string, { shared = false }: TryAcquireOptions = {}): Promise<Lock | null> {
    this.#check(shared)
    return await this.#acquire(path, shared, new Patience(path, this.#defaultWaitMs), false)
  }

  async #acquire(path: string, shared: boolean, patience: Patience, waits: boolean): Promise<Lock | null> {
    try {
      const target = await patience.run(this.#locks.at(path))
      if (shared) return await this.#attempts(target, shared, patience, waits, null)
      const place = waits ? Place.take(target.key) : Place.tryTake(target.key)
      if (place === null) return this.#busy(target.path, 'this process')
      return await this.#attempts(target, shared, patience, waits, place)
    } catch (error) {
      this.#report({ event: 'acquire', path, outcome: outcomeOf(error), error })
      throw error
    } finally {
      patience.done()
    }
  }

  async #attempts(
    target: Lockable,
    shared: boolean,
    patience: Patience,
    waits: boolean,
    place: Place | null,
  ): Promise<Lock | null> {
    const turn = waits ? this.#turns.of(target) : undefined
    let waiter: Waiter | undefined
    let announcement: Announcement | undefined
    let inFlight: Promise<unknown> = Promise.resolve()
    const waitFor = (attempting: Promise<TryOutcome>) => {
      inFlight = attempting
      return patience.race(attempting, (late) => {
        inFlight = undo(late)
      })
    }
    let lock: LockHandle | null = null
    try {
      if (place !== null) await this.#inOrder(place, patience)
      const standBackMs = turn?.standBackMs(performance.now()) ?? 0
      if (turn !== undefined && standBackMs > 0) {
        waiter = new Waiter(target.waitStyle, turn)
        if ((await patience.race(waiter.again(standBackMs))) === 'released') turn.saw(performance.now(), false)
      }
      let hadToWait = false
      for (;;) {
        patience.check()
        const fresh = waiter !== undefined
        const work = target.tryTake({ shared, fresh, wanted: () => !patience.isOver })
        const first = work.next()
        const attempt = first.done ? first.value : await waitFor(runAsynchronously(work, first))
        if (this.#closing !== undefined) {
          inFlight = undo(attempt)
          throw closedError()
        }
        if (attempt.kind === 'acquired') {
          lock = this.#hold(target, attempt, { place, turn })
          if (lock === null) continue
          turn?.acquired(performance.now(), { token: lock.token, isWaitedFor: attempt.isWaitedFor, hadToWait })
          return lock
        }
        patience.firstTryIsOver()
        if (turn === undefined) return this.#busy(target.path, attempt.kind === 'busy' ? attempt.holder : null)
        if (attempt.kind === 'busy') {
          patience.waitingFor = heldBy(attempt.holder)
          turn.saw(performance.now(), attempt.isFar)
        }
        if (!hadToWait) this.#reportWait(target.path, attempt)
        announcement ??= new Announcement(target)
        hadToWait = true
        // Listen first, then look once more: a release in between is not missed.
        if (waiter === undefined) waiter = new Waiter(target.waitStyle, turn)
        else await patience.race(waiter.again())
      }
    } finally {
      waiter?.close()
      announcement?.end()
      // What is still under way keeps its place: it may yet have to be undone.
      if (lock === null && place !== null)
        afterwards(
          () => inFlight,
          () => place.leave(),
        )
    }
  }

  async #inOrder(place: Place, patience: Patience): Promise<void> {
    if (place.hasTurn) return
    const waitingFor = patience.waitingFor
    patience.waitingFor = heldBy(OWN)
    patience.firstTryIsOver()
    await patience.race(place.turn())
    patience.waitingFor = waitingFor
  }

  acquireSync(path: string, { waitMs = this.#defaultWaitMs, shared = false }: AcquireSyncOptions = {}): Lock {
    this.#check(shared, waitMs)
    const deadline = performance.now() + waitMs
    let backoff: Backoff | undefined
    for (;;) {
      const { lock, holder, target } = this.#tryBlocking(path, shared, backoff !== undefined)
      if (lock !== null) return lock
      const remainingMs = deadline - performance.now()
      // A lock of this very process cannot be released while its thread is blocked here.
      if (remainingMs <= 0 || holder === OWN) {
        const error = new LockTimeoutError(path, waitMs, heldBy(holder))
        this.#report({ event: 'acquire', path, outcome: 'timeout', error })
        throw error
      }
      backoff ??= new Backoff(target.waitStyle, false)
      sleepBlocking(Math.min(remainingMs, backoff.nextMs()))
    }
  }

  tryAcquireSync(path: string, { shared = false }: TryAcquireOptions = {}): Lock | null {
    this.#check(shared)
    const { lock, holder } = this.#tryBlocking(path, shared, false)
    return lock ?? this.#busy(path, holder)
  }

  #tryBlocking(
    path: string,
    shared: boolean,
    fresh: boolean,
  ): { lock: LockHandle | null; holder: string | null; target: Lockable } {
    const target = runBlocking(this.#locks.at(path))
    const place = shared ? null : Place.tryTake(target.key)
    if (!shared && place === null) return { lock: null, holder: OWN, target }
    let lock: LockHandle | null = null
    try {
      const attempt = runBlocking(target.tryTake({ shared, fresh, wanted: () => true }))
      if (attempt.kind === 'acquired') lock = this.#hold(target, attempt, { place, turn: undefined })
      return { lock, holder: attempt.kind === 'busy' ? attempt.holder : null, target }
    } catch (error) {
      this.#report({ event: 'acquire', path: target.path, outcome: 'failed', error })
      throw error
    } finally {
      if (lock === null) place?.leave()
    }
  }

  /** The last question before a lock is handed out: is it certain to be ours? */
  #hold(target: Lockable, { hold, takenFrom }: TryOutcome & { kind: 'acquired' }, keeping: Keeping): LockHandle | null {
    if (hold.remainingMs() <= 0) return null // its session is over, and with it everything that it held
    const lock = new LockHandle(target.path, hold, this)
    this.#held.set(lock, keeping)
    if (takenFrom !== null)
      this.#report({ event: 'reap', path: lock.path, outcome: 'taken-over', token: lock.token, detail: takenFrom })
    this.#report({ event: 'acquire', path: lock.path, outcome: 'acquired', token: lock.token })
    return lock
  }

  #reportWait(path: string, attempt: TryOutcome): void {
    const holder = attempt.kind === 'busy' ? attempt.holder : null
    this.#report({ event: 'wait', path, outcome: 'busy', ...(holder !== null && { detail: holder }) })
  }

  #busy(path: string, holder: string | null): null {
    this.#report({ event: 'acquire', path, outcome: 'busy', ...(holder !== null && { detail: holder }) })
    return null
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
    if (lost) throw lock.signal.reason instanceof LockLostError ? lock.signal.reason : new LockLostError(lock.path, 'taken-over')
    return result
  }

  async inspect(path: string): Promise<Inspection> {
    this.#check(false)
    const patience = new Patience(path, this.#defaultWaitMs)
    try {
      return await patience.race(this.#locks.inspect(path))
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
    this.#turns.close()
    await this.#locks.close()
    await this.#logger.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async fileSystemOf(path: string): Promise<{ coherent: boolean; lane: Lane }> {
    const { coherent, dev } = await runAsynchronously(this.#directories.look(dirname(resolve(path))))
    return { coherent, lane: mountOfDevice(dev).lane }
  }

  onReleased(lock: LockHandle, result: ReleaseResult | null, error?: unknown): void {
    this.#drop(lock)
    const outcome = result === null ? 'failed' : result.lost ? 'lost' : 'released'
    this.#report({ event: 'release', path: lock.path, outcome, token: lock.token, ...(error !== undefined && { error }) })
  }

  onLost(lock: LockHandle, reason: LostReason): void {
    this.#drop(lock)
    if (reason === 'closed') this.#report({ event: 'release', path: lock.path, outcome: 'released', token: lock.token })
    else this.#report({ event: 'lost', path: lock.path, outcome: 'lost', token: lock.token, detail: reason })
  }

  #drop(lock: LockHandle): void {
    const kept = this.#held.get(lock)
    kept?.place?.leave()
    kept?.turn?.released(performance.now(), lock.token)
    this.#held.delete(lock)
  }

  #endWithProcess(): void {
    for (const { path, token } of this.#held.keys())
      this.#report({ event: 'release', path, outcome: 'released', token, detail: 'the process ends' })
    this.#logger.flushSync()
  }

  #report(event: Omit<LockEvent, 'lockType'>): void {
    const { enableLogging, lockType } = this.settings
    if (!enableLogging && !hasSubscribers(event.event)) return
    const complete: LockEvent = { ...event, lockType }
    publish(complete)
    if (enableLogging) this.#logger.log(complete)
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

/** The longest that a timer of Node can wait. */
const WAIT_MS_MAX = 2 ** 31 - 1

/** How the log calls the end of an acquisition that failed. */
function outcomeOf(error: unknown): string {
  if (error instanceof LockTimeoutError) return 'timeout'
  return error instanceof AbortError ? 'aborted' : 'failed'
}

const OWN = 'this process'
const HELD = 'it is held'
const heldBy = (holder: string | null) => (holder === null ? HELD : `held by ${holder}`)

/** An attempt that succeeded after its caller had given up. */
async function undo(late: TryOutcome): Promise<void> {
  if (late.kind === 'acquired') await runAsynchronously(late.hold.release()).catch(() => {}) // what is in doubt is being settled
}

/** Waits for a promise that may be replaced by a later one meanwhile. */
function afterwards(current: () => Promise<unknown>, then: () => void): void {
  const promise = current()
  const next = () => (current() === promise ? then() : afterwards(current, then))
  promise.then(next, next)
}
