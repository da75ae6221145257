/**
 * The functions of `proper-lockfile@4`, on link-based locks: to move over, change the import. The same options, the same
 * error codes, the same default path (`<file>.lock`); docs/from-proper-lockfile.md has the table of what differs on purpose.
 *
 * What is better: a stale lock that is taken over is never handed to two owners; a lock of a dead process of this host is
 * free at once; no clock of one node is compared with that of another; nothing is thrown out of a timer.
 * What is not promised: that a process which still uses the real `proper-lockfile` on the same path can *wait* for us. Its
 * locks (empty directories) are respected, and ours are to it: `ELOCKED`, or an error of `rmdir` once it takes ours for stale.
 *
 * Calling sequence: `const release = await lock(file)`, work, `await release()`. Or `unlock(file)` instead of `release()`.
 */

import fs from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { checkArgument, type Form } from '../config/options.js'
import { ForeignLockError, InvalidArgumentError, LockFileSystemError } from '../errors.js'
import { onAbort } from '../locker/abort-listeners.js'
import { createLocker } from '../locker/locker.js'
import { warn } from '../log/talk.js'
import type { Lock, Locker } from '../types.js'
import { asSystemError, forCaller, forCallerSync, type LockfileError, lockfileError } from './errors.js'
import { isHeldSync } from './inspect-sync.js'
import { isProperLockfile, isProperLockfileSync, lookAt } from './neighbour.js'
import { isOwnFs } from './own-fs.js'
import { type Retries, type RetryOptions, retry } from './retries.js'

export type { LockfileError, LockfileErrorCode } from './errors.js'
export type { Retries, RetryOptions } from './retries.js'

/** Which lock: options of `unlock`, and part of all others. */
export interface UnlockOptions {
  /** Resolve symbolic links in `file`, which then must exist. `undefined` means `false`, unless it is left out. @default true */
  realpath?: boolean | undefined
  /** The path of the lock. @default `${file}.lock` */
  lockfilePath?: string | undefined
  /**
   * Not supported: locks need the real file system. Node's own `fs` is accepted, in whatever object its functions are
   * handed over. @default Node's own
   */
  fs?: unknown
}

/** Options of `check`. */
export interface CheckOptions extends UnlockOptions {
  /** Has no meaning here: a lock is stale after the time that its *holder* set. @default ignored */
  stale?: number | undefined
}

/** Options of `lock`. */
export interface LockOptions extends UnlockOptions {
  /** After how many milliseconds without a refresh others may take the lock; from 2000 to a day. @default 10000 */
  stale?: number | undefined
  /** How often it is refreshed, in milliseconds; from 1000 to half of `stale`. @default stale / 2 */
  update?: number | undefined
  /** How often to try again, or what the `retry` package takes: options, or the pauses in milliseconds. @default 0 */
  retries?: Retries
  /** Called when the lock may have been lost. @default a warning of the process (`process.on('warning', …)`) */
  onCompromised?: ((error: Error) => unknown) | undefined
}

interface Held {
  readonly file: string
  readonly lockfilePath: string
  readonly lock: Lock
  isReleased: boolean
}

const STALE_MS_DEFAULT = 10_000
const STALE_MS_MIN = 2000
/** A day: what a record of ours can say. */
const STALE_MS_MAX = 24 * 60 * 60 * 1000
const UPDATE_MS_MIN = 1000

/** By lock path: what this process holds. */
const held = new Map<string, Held>()
const lockers = new Map<string, Locker>()
let useSymlinks = false

/**
 * Acquires the lock of a file.
 * @returns the function that releases it: it rejects with ERELEASED when that was done, and ECOMPROMISED when the lock was lost
 * @throws ELOCKED when another holder has it; the codes of the system; FOREIGN_LOCK when there is something else at the path
 */
export async function lock(file: string, given: LockOptions | null = null): Promise<() => Promise<void>> {
  const entry = await forCaller(() => acquire(file, given ?? {}))
  return async () =>
    await forCaller(async () => {
      if (entry.isReleased) throw lockfileError('ERELEASED', 'Lock is already released')
      await leave(entry)
    })
}

async function acquire(file: string, options: LockOptions): Promise<Held> {
  const canonical = await canonicalPath(file, options)
  const lockfilePath = lockPathOf(canonical, options)
  return await retry(async () => {
    if (await isProperLockfile(lockfilePath)) throw lockedByNeighbour(canonical, lockfilePath)
    const acquired = await withKindOfLink((locker) => locker.tryAcquire(lockfilePath), options).catch((error) => {
      throw meanwhile(error, canonical, lockfilePath)
    })
    return enter(canonical, lockfilePath, acquired, options)
  }, options.retries)
}

/** {@link lock}, with blocking calls. @throws what {@link lock} throws, and ESYNC for `retries`, which would block the process */
export function lockSync(file: string, given: LockOptions | null = null): () => void {
  const entry = forCallerSync(() => acquireSync(file, given ?? {}))
  return () =>
    forCallerSync(() => {
      if (entry.isReleased) throw lockfileError('ERELEASED', 'Lock is already released')
      leaveSync(entry)
    })
}

function acquireSync(file: string, options: LockOptions): Held {
  refuseRetries(options)
  const canonical = canonicalPathSync(file, options)
  const lockfilePath = lockPathOf(canonical, options)
  if (isProperLockfileSync(lockfilePath)) throw lockedByNeighbour(canonical, lockfilePath)
  let acquired: Lock | null
  try {
    acquired = tryAcquireSync(lockfilePath, options)
  } catch (error) {
    throw meanwhile(error, canonical, lockfilePath)
  }
  return enter(canonical, lockfilePath, acquired, options)
}

/** Of every blocking call, as one object of options often serves all of them. Only a number counts, as in `proper-lockfile`. */
function refuseRetries(options: UnlockOptions): void {
  const { retries } = options as LockOptions
  const count = typeof retries === 'object' ? (retries as RetryOptions | null)?.retries : retries
  if (typeof count === 'number' && count > 0) throw lockfileError('ESYNC', 'Cannot use retries with the sync api')
}

/** Releases the lock of a file. @throws ENOTACQUIRED when this process does not hold it, ECOMPROMISED when it was lost */
export async function unlock(file: string, given: UnlockOptions | null = null): Promise<void> {
  const options = given ?? {}
  await forCaller(async () => await leave(find(await canonicalPath(file, options), options)))
}

/** {@link unlock}, with blocking calls. @throws what {@link unlock} throws */
export function unlockSync(file: string, given: UnlockOptions | null = null): void {
  const options = given ?? {}
  forCallerSync(() => {
    refuseRetries(options)
    leaveSync(find(canonicalPathSync(file, options), options))
  })
}

/** Is the file locked? `true` also where that cannot be told. @throws the codes of the system */
export async function check(file: string, given: CheckOptions | null = null): Promise<boolean> {
  return await forCaller(() => isHeld(file, given ?? {}))
}

async function isHeld(file: string, options: CheckOptions): Promise<boolean> {
  const path = lockPathOf(await canonicalPath(file, options), options)
  if (await isProperLockfile(path)) return true
  try {
    const { state } = await lockerFor(options).inspect(path)
    return state === 'held' || state === 'unknown'
  } catch (error) {
    return isHeldAccordingTo(error)
  }
}

/** {@link check}, with blocking calls. @throws what {@link check} throws */
export function checkSync(file: string, given: CheckOptions | null = null): boolean {
  return forCallerSync(() => isFileHeldSync(file, given ?? {}))
}

function isFileHeldSync(file: string, options: CheckOptions): boolean {
  refuseRetries(options)
  const path = lockPathOf(canonicalPathSync(file, options), options)
  if (isProperLockfileSync(path)) return true
  try {
    return isHeldSync(path)
  } catch (error) {
    return isHeldAccordingTo(error)
  }
}

/** No directory for the lock, so no lock. Something that is not our lock is in the way of all. */
function isHeldAccordingTo(error: unknown): boolean {
  if (error instanceof LockFileSystemError && error.errno === 'ENOENT') return false
  if (error instanceof ForeignLockError) return true
  throw asSystemError(error)
}

function lockPathOf(canonical: string, { lockfilePath }: UnlockOptions): string {
  return resolve(lockfilePath || `${canonical}.lock`)
}

async function canonicalPath(file: string, options: UnlockOptions): Promise<string> {
  checkFile(file)
  checkFs(options)
  return isResolved(options) ? await realpath(file) : resolve(file)
}

function canonicalPathSync(file: string, options: UnlockOptions): string {
  checkFile(file)
  checkFs(options)
  return isResolved(options) ? fs.realpathSync(file) : resolve(file)
}

/** Not `fs.promises.realpath`, which asks the system and refuses what the other two take: `file/`, and an empty name. */
const realpath = promisify(fs.realpath)

/** As in `proper-lockfile`: an option that is there counts, even as `undefined`. Another answer would be another lock. */
const isResolved = (options: UnlockOptions): boolean => Boolean({ realpath: true, ...options }.realpath)

/** What `fs.realpath` takes: code hands over buffers and URLs as well. */
const FILE: Form = {
  isMet: (value) => typeof value === 'string' || value instanceof Uint8Array || value instanceof URL,
  expected: 'a path',
}
const checkFile = (file: unknown) => checkArgument('the file to lock', FILE, file)

function checkFs(options: UnlockOptions): void {
  // As in proper-lockfile: what is falsy stands for the default.
  if (!options.fs || isOwnFs(options.fs)) return
  throw new InvalidArgumentError(
    "The option `fs` of proper-lockfile is not supported, unless it is Node's own `fs`",
    'Leave it out: locks need the real file system.',
  )
}

/** One for each pair of intervals: they belong to the holder, and are told to the others. */
function lockerFor({ stale, update }: LockOptions): Locker {
  const staleMs = numberOr(STALE_MS_DEFAULT, stale === undefined ? STALE_MS_DEFAULT : stale || 0)
  const timeoutIntervalMs = Math.round(Math.min(Math.max(staleMs, STALE_MS_MIN), STALE_MS_MAX))
  const halfMs = timeoutIntervalMs / 2
  const updateMs = numberOr(halfMs, update == null ? halfMs : update || 0)
  const refreshRateMs = Math.round(Math.max(Math.min(updateMs, halfMs), UPDATE_MS_MIN))
  const key = `${timeoutIntervalMs} ${refreshRateMs} ${useSymlinks}`
  let locker = lockers.get(key)
  if (locker === undefined) {
    locker = createLocker({ timeoutIntervalMs, refreshRateMs, useSymlinks })
    lockers.set(key, locker)
  }
  return locker
}

/** What is no number is taken by `proper-lockfile` as well, and makes no lock stale there. Here it stands for the default. */
const numberOr = (byDefault: number, value: unknown): number => (Number.isNaN(Number(value)) ? byDefault : Number(value))

/** There is no option for file systems without hard links, so this finds out. Locks of both kinds exclude each other. */
function isLinkRefused(error: unknown): boolean {
  const isRefused = error instanceof LockFileSystemError && (error.code === 'HARD_LINKS_REFUSED' || error.code === 'CROSS_DEVICE')
  if (!isRefused || useSymlinks) return false
  useSymlinks = true
  return true
}

async function withKindOfLink(work: (locker: Locker) => Promise<Lock | null>, options: LockOptions): Promise<Lock | null> {
  try {
    return await work(lockerFor(options)).catch((error) => {
      if (isLinkRefused(error)) return work(lockerFor(options))
      throw error
    })
  } catch (error) {
    throw asSystemError(error)
  }
}

function tryAcquireSync(lockfilePath: string, options: LockOptions): Lock | null {
  try {
    return lockerFor(options).tryAcquireSync(lockfilePath)
  } catch (error) {
    if (isLinkRefused(error)) return tryAcquireSync(lockfilePath, options)
    throw asSystemError(error)
  }
}

function enter(file: string, lockfilePath: string, lock: Lock | null, { onCompromised = warnOfLoss }: LockOptions): Held {
  if (lock === null) throw Object.assign(lockfileError('ELOCKED', 'Lock file is already being held'), { file })
  const entry: Held = { file, lockfilePath, lock, isReleased: false }
  held.set(lockfilePath, entry)
  onAbort(lock.signal, () => {
    if (entry.isReleased) return
    forget(entry)
    onCompromised(compromised(lock))
  })
  return entry
}

function find(file: string, options: UnlockOptions): Held {
  // It may lie elsewhere than it is named here: `proper-lockfile` knows its locks by their files.
  const found = held.get(lockPathOf(file, options)) ?? [...held.values()].find((other) => other.file === file)
  if (found === undefined) throw lockfileError('ENOTACQUIRED', 'Lock is not acquired/owned by you')
  return found
}

async function leave(entry: Held): Promise<void> {
  forget(entry)
  if ((await entry.lock.release()).lost) throw compromised(entry.lock)
}

function leaveSync(entry: Held): void {
  forget(entry)
  if (entry.lock.releaseSync().lost) throw compromised(entry.lock)
}

function forget(entry: Held): void {
  entry.isReleased = true
  if (held.get(entry.lockfilePath) === entry) held.delete(entry.lockfilePath)
}

/** Not always is it what `proper-lockfile` says, that the lock could not be updated within the stale threshold. */
function compromised({ signal }: Lock): LockfileError {
  const cause: Error = signal.reason
  return lockfileError('ECOMPROMISED', cause.message, cause)
}

function warnOfLoss(error: Error): void {
  warn(`A lock may have been lost: ${error.message}`, { code: 'ECOMPROMISED', type: 'LockCompromisedWarning' })
}

/**
 * Between our look and the acquisition a process with `proper-lockfile` itself may have taken the lock, and given it back
 * again. What is in the way and stays is no lock of either.
 */
function meanwhile(error: unknown, file: string, lockfilePath: string): unknown {
  if (!(error instanceof ForeignLockError)) return error
  const there = lookAt(lockfilePath)
  if (there === 'its lock') return lockedByNeighbour(file, lockfilePath)
  return there === 'nothing' ? Object.assign(lockfileError('ELOCKED', 'Lock file is already being held', error), { file }) : error
}

function lockedByNeighbour(file: string, lockfilePath: string): LockfileError {
  const what = `Lock file is already being held, by proper-lockfile itself: ${lockfilePath} is an empty directory`
  const advice = 'If no process that uses proper-lockfile is running any more, remove it (rmdir).'
  return Object.assign(lockfileError('ELOCKED', `${what}. ${advice}`), { file })
}

/** As in `proper-lockfile`, the module itself is the function `lock`, also for `require`. */
const lockfile = Object.assign(lock.bind(null), { lock, unlock, check, lockSync, unlockSync, checkSync })

export { lockfile as default, lockfile as 'module.exports' }
