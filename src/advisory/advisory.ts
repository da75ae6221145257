/**
 * Whole-file advisory locks, `flock` and `fcntl`, over the optional dependency `fs-ext`.
 *
 * What is promised: an attempt never waits for a holder, it answers `busy`. A hold excludes every other process and, within
 * this process, every other attempt (also from another loaded copy of this package; flock: also from worker threads).
 * Nothing here drops a holder's lock, nothing creates a directory, and the lock file is never removed: it is the inode that
 * is locked, so a process that removed it would let two holders in. The kernel drops the locks of a process that ends.
 *
 * What is not: flock and fcntl do not see each other on local file systems. What this process does to a lock file by other
 * means (any `close` of it drops an fcntl lock) is seen at the next look only: then that lock is taken again, or its holder is
 * told that it is lost.
 *
 * `fs-ext` leaves two gaps, which are refused, never papered over: fcntl with blocking calls, and fcntl in a worker
 * thread. Ways out of a hold: `release`, `releaseSync` (both idempotent, and either may follow the other), or the end of the
 * process. An attempt that was given up on still ends in a hold, which its caller has to release.
 */

import type { Lane } from '../drivers/lane.js'
import { type LostReason, UnsupportedPlatformError } from '../errors.js'
import type { AdvisoryCall } from '../types.js'
import { runInLane, runNow } from './calls.js'
import { takeFcntl, refuseFcntlSync } from './fcntl.js'
import { takeFlock } from './flock.js'
import { takeFlockQuickly, check } from './flock-quick.js'
import { lockError, type OpenOptions, replacedError } from './lock-file.js'

export interface AdvisoryHold {
  readonly path: string
  readonly dev: number
  readonly ino: number
  /** @throws LockFileSystemError if the file system reported an error; the lock is given back in any case */
  release(): Promise<void>
  releaseSync(): void
  /** It can end while its holder lives, and no call of the holder has shown it: it is worth a look. */
  readonly mayEndUnnoticed: boolean
  /** Is it held? Asks the server, if it was taken with `pastCache`. Why it is lost, or in doubt; `null`: it is held. */
  look(): Promise<LostReason | null>
  /** The same with blocking calls. */
  lookSync(): LostReason | null
  /** The file is a program, or a script. */
  readonly isExecutable?: boolean
}

export interface AdvisoryOptions extends OpenOptions {
  kind: AdvisoryCall
  /**
   * Of the mount that the path is on. Asynchronous calls go through it, and so does `release()` of a hold that was got
   * synchronously.
   */
  lane: Lane
  /**
   * The device that the path is on, if that is a plain local file system: then a file that was locked before is locked
   * quickly.
   */
  localDevice?: number | null
  /** Its `id` in the table of file systems; if absent, the path's own name tells. */
  fileSystem?: string | null
}

/** How often a lock file may be replaced under our hands before that is an error. */
export const ROUNDS_MAX = 10

/**
 * One attempt, without waiting for a holder.
 * @throws LockFileSystemError, ForeignLockError, AdvisoryUnavailableError, UnsupportedPlatformError
 */
export async function tryAdvisory(path: string, options: AdvisoryOptions): Promise<AdvisoryHold | 'busy'> {
  const { kind, lane } = options
  refuseWindows(path)
  const quick = tryQuickly(path, options)
  if (quick) return quick
  try {
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      const outcome =
        kind === 'flock' ? await runInLane(takeFlock(path, options, lane), lane) : await takeFcntl(path, options, lane)
      if (outcome !== 'replaced') return toBeQuick(path, options, outcome)
    }
  } catch (error) {
    throw lockError(path, error, options.kind, options.fileSystem)
  }
  throw replacedError(path)
}

/** {@link tryAdvisory} with blocking calls; flock only. */
export function tryAdvisorySync(path: string, options: AdvisoryOptions): AdvisoryHold | 'busy' {
  refuseWindows(path)
  if (options.kind === 'fcntl') refuseFcntlSync(path)
  const quick = tryQuickly(path, options)
  if (quick) return quick
  try {
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      const outcome = runNow(takeFlock(path, options, options.lane))
      if (outcome !== 'replaced') return toBeQuick(path, options, outcome)
    }
  } catch (error) {
    throw lockError(path, error, options.kind, options.fileSystem)
  }
  throw replacedError(path)
}

function tryQuickly(path: string, { kind, shared, lane, localDevice }: AdvisoryOptions): AdvisoryHold | 'busy' | undefined {
  return kind === 'flock' && typeof localDevice === 'number' ? takeFlockQuickly(path, shared, lane) : undefined
}

/** So that the next attempt is a quick one. */
function toBeQuick<Outcome>(path: string, { kind, localDevice }: AdvisoryOptions, outcome: Outcome): Outcome {
  if (kind === 'flock' && typeof localDevice === 'number') check(path, localDevice)
  return outcome
}

function refuseWindows(path: string): void {
  if (process.platform !== 'win32') return
  throw new UnsupportedPlatformError('Advisory locks are not supported on Windows', "Use lockType: 'linkbased'.", path)
}
