/**
 * `locktester run --workbench`: all that Workbench locks below the named directories, held at once. None is held while another
 * one is waited for, so that no session is kept waiting by a command that does not run yet.
 *
 * What no lock can do: a new session makes a directory of its own, which is not locked. So what there is to lock is listed
 * again once all of it is held (then it begins anew) and after the command (then it is told).
 */

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { InvalidArgumentError, LockTimeoutError, MountlockError } from '../../errors.js'
import type { Lock, Locker, LockType } from '../../types.js'
import { placeOf } from '../../workbench/places.js'
import { LockFinder } from '../locks/find-locks.js'
import { bounded, codeOf } from '../shared/bounded.js'

/** Locks that are held as one. */
export interface HeldLocks {
  paths: readonly string[]
  /** The first one's, for messages. */
  path: string
  lockType: LockType
  /** Of a single lock. */
  token: bigint | null
  /** Aborted once one of them may be lost. */
  signal: AbortSignal
  release(): Promise<{ lost: boolean }>
}

interface Wish {
  /** Files and directories. */
  named: readonly string[]
  /** `null`: without end. */
  waitMs: number | null
}

/** New sessions may come faster than their locks are taken; without a time to wait this is where it ends. */
const ROUNDS_MAX = 5

/** @throws LockTimeoutError, and what `listPlaces` and the locker throw; then nothing is held */
export async function acquireAll(locker: Locker, { named, waitMs }: Wish, signal: AbortSignal): Promise<HeldLocks> {
  const deadlineMs = waitMs === null ? Number.POSITIVE_INFINITY : performance.now() + waitMs
  for (let round = 1; ; round++) {
    const paths = await listPlaces(named)
    const { locks, busy } = await tryAll(locker, paths, signal)
    if (busy !== null) await waitFor(locker, busy, { deadlineMs, signal })
    else if (isSame(paths, await listPlaces(named))) return asOne(locks)
    else await releaseAll(locks)
    if (busy === null && round >= ROUNDS_MAX && performance.now() >= deadlineMs) {
      throw new LockTimeoutError(named[0] as string, waitMs ?? 0, { why: 'new sessions came while the locks were taken' })
    }
  }
}

/** In order; all are given back where one is held by another process. */
async function tryAll(
  locker: Locker,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<{ locks: Lock[]; busy: string | null }> {
  const locks: Lock[] = []
  try {
    for (const path of paths) {
      signal.throwIfAborted()
      const lock = await locker.tryAcquire(path)
      if (lock === null) {
        await releaseAll(locks)
        return { locks: [], busy: path }
      }
      locks.push(lock)
    }
    return { locks, busy: null }
  } catch (error) {
    await releaseAll(locks).catch(() => {}) // why they were not acquired is what to tell
    throw error
  }
}

/** Until it could be had; another process may have it before it is tried again with the others. */
async function waitFor(
  locker: Locker,
  path: string,
  { deadlineMs, signal }: { deadlineMs: number; signal: AbortSignal },
): Promise<void> {
  const waitMs = deadlineMs - performance.now()
  if (waitMs <= 0) throw new LockTimeoutError(path, 0, { why: 'it is held' })
  const lock = await locker.acquire(path, { waitMs, signal })
  await lock.release()
}

/** Each, whatever becomes of the others. @throws the first failure */
async function releaseAll(locks: readonly Lock[]): Promise<{ lost: boolean }> {
  const results = []
  for (const lock of locks.toReversed()) results.push(...(await Promise.allSettled([lock.release()])))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return { lost: results.some((result) => result.status === 'fulfilled' && result.value.lost) }
}

export function asOne(locks: readonly Lock[]): HeldLocks {
  const [first] = locks as [Lock, ...Lock[]]
  return {
    paths: locks.map(({ path }) => path),
    path: first.path,
    lockType: first.lockType,
    token: locks.length === 1 ? first.token : null,
    signal: AbortSignal.any(locks.map(({ signal }) => signal)),
    release: () => releaseAll(locks),
  }
}

const isSame = (one: readonly string[], other: readonly string[]) => JSON.stringify(one) === JSON.stringify(other)

/**
 * The paths to lock, in order: a file is one itself, and of a directory it is all that Workbench locks below it.
 * @throws MountlockError where there is none, or where not all could be looked at
 */
async function listPlaces(named: readonly string[]): Promise<string[]> {
  const finder = new LockFinder(Number.POSITIVE_INFINITY)
  const paths = new Set<string>()
  for (const name of named) {
    const path = resolve(name)
    if (await isDirectory(path)) await finder.find(path)
    else paths.add(path)
  }
  const [unread] = finder.unread
  if (unread !== undefined) throw notListed(unread.path, unread.message)
  const [link] = finder.unfollowed
  if (link !== undefined) throw notListed(link, 'it is a symbolic link: name what it leads to as well')
  for (const path of finder.workbench.keys()) paths.add(path)
  if (paths.size === 0) throw nothingThere(named)
  return [...paths].sort()
}

/** Sessions that came after these paths were listed. */
export async function newSessions(named: readonly string[], paths: readonly string[]): Promise<string[]> {
  const now = await listPlaces(named)
  return now.filter((path) => !paths.includes(path) && placeOf(path)?.purpose === 'session')
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await bounded(path, stat(path))).isDirectory()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

function notListed(path: string, why: string): MountlockError {
  const advice = `Not all that Workbench locks is known: ${why.replace(/\.$/, '')}. Name the directories with its state, such as ~/.local/share/rstudio.`
  return new MountlockError('This could not be looked at', { code: 'FILE_SYSTEM_ERROR', path, advice })
}

function nothingThere(named: readonly string[]): InvalidArgumentError {
  return new InvalidArgumentError(
    `There is nothing that Workbench locks below ${named.join(', ')}`,
    'Name a home, a project, ~/.local/share/rstudio, or the directory of a session.',
  )
}
