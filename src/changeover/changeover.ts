/**
 * Two lock types on one path. A path that is *held* as a lock of another type is refused, with an error that names the holder.
 * A *free* leftover of another type is taken away, and the path becomes a lock of the type that is wanted: so a live
 * cluster changes its lock type by changing its configuration, in any order, while locks are taken and released.
 *
 * What is promised: at no moment two processes hold the lock of one path, whatever their types; a process that is slow or
 * dies at any step breaks no other process's lock; a file that is not empty, and a directory that is not ours, are never touched.
 *
 * A lock directory goes the way that `protocol/dissolve.ts` describes, a lock file the way of `advisory/give-up.ts`.
 */

import { callsOf } from '../advisory/both.js'
import { areOneLock } from '../advisory/one-lock.js'
import { giveUp, type GiveUpOutcome } from '../advisory/give-up.js'
import { Obstructions } from './obstructions.js'
import { mountedError } from '../link/refusals.js'
import { Directories, footingOn } from '../mounts/directories.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import type { Footing } from '../drivers/footing.js'
import { fileSystemAt } from '../drivers/mount-info.js'
import { mountOfDevice } from '../mounts/mount.js'
import { surroundingsOf } from '../mounts/surroundings.js'
import { runProtocol, runProtocolBlocking } from '../drivers/run.js'
import { type Work, eitherWay } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { AdvisoryUnavailableError, ForeignLockError, UnsupportedPlatformError } from '../errors.js'
import type { Lockable, Locks, TryOptions, TryOutcome } from '../lock-type/lock-type.js'
import { describeHolder } from '../lock-type/describe-holder.js'
import { lockPath } from '../lock-type/lock-path.js'
import { WrappedLockable } from '../lock-type/wrapped-lockable.js'
import { kindOfLockType, LOCK_TYPE_OF_KIND } from '../protocol/claims.js'
import { type Dissolution, dissolve } from '../protocol/dissolve.js'
import { ask, type Protocol } from '../protocol/operations.js'
import { isAbsent } from '../protocol/doubt.js'
import { isMountOfItsOwn } from '../protocol/placement.js'
import type { Inspection, LockType } from '../types.js'

/** Another type may come back as often as a process uses it: then this is the answer after so many times. */
const CHANGES_MAX = 4

const TYPE_IN_WORDS: Record<LockType, string> = { linkbased: 'link-based', renamebased: 'rename-based', advisory: 'advisory' }

/** A lock type that makes way for itself where a lock of another type was left. */
export class Changeover implements Locks {
  readonly #locks: Locks
  readonly #wanted: LockType
  readonly #directories = new Directories()
  readonly #obstructions = new Obstructions()

  constructor(locks: Locks, wanted: LockType) {
    this.#locks = locks
    this.#wanted = wanted
  }

  inspect(path: string): Promise<Inspection> {
    return this.#locks.inspect(path)
  }

  close(): Promise<void> {
    return this.#locks.close()
  }

  *at(path: string): Work<Lockable> {
    return new WrappedLockable(yield* this.#locks.at(path), (lockable, options) => this.#tryAndMakeWay(lockable, options))
  }

  *#tryAndMakeWay(lockable: Lockable, options: TryOptions): Work<TryOutcome> {
    for (let changes = 0; ; changes++) {
      try {
        return yield* lockable.tryTake(options)
      } catch (error) {
        if (!(error instanceof ForeignLockError) || changes === CHANGES_MAX) throw error
        if (!options.wanted()) return { kind: 'cancelled' }
        const inTheWay = yield* this.#makeWay(lockable, error)
        if (inTheWay !== null) return { kind: 'busy', holder: inTheWay, owner: null, generation: null }
      }
    }
  }

  /**
   * `null`: the path has changed, try again; otherwise what is in the way for a moment.
   * @throws ForeignLockError: `refusal` itself if it is about something that is no lock of ours
   */
  *#makeWay(lockable: Lockable, refusal: ForeignLockError): Work<string | null> {
    const parts = lockPath(lockable.path)
    const facts = yield* this.#directories.look(parts.directory)
    const { lane } = mountOfDevice(facts.dev)
    // In the directory in which the lock was refused, and not where its path leads by now.
    const footing = () => footingOn(lockable.ground ?? facts.ground)
    const run = <Result>(protocol: () => Protocol<Result>): Work<Result> =>
      eitherWay(
        () => runProtocolBlocking(protocol(), undefined, footing()),
        () => runProtocol(protocol(), lane, undefined, footing()),
      )
    const type = yield* run(() => fileType(parts.path))
    if (type === 'missing') return null
    if (type === 'file' && this.#wanted !== 'advisory')
      return (yield* giveUpFile(parts.path, facts, footing)) === 'done' ? null : CHANGING
    // Where two renames of one name can both succeed, no process could be sure that it is the one that decides.
    if (type !== 'directory' || !facts.renamesNames) throw refusal
    if ((yield* run(() => isMountOfItsOwn(parts))) === true) throw mountedError(parts.path)
    const surroundings = surroundingsOf(facts)
    const wanted = kindOfLockType(this.#wanted)
    const outcome = yield* run(() => dissolve({ ...parts, surroundings }, wanted))
    if (outcome.kind === 'obstructed') return this.#obstructions.add(parts.path, outcome.names)
    this.#obstructions.forget(parts.path)
    return verdict(parts.path, outcome, refusal)
  }
}

function* fileType(path: string): Protocol<string> {
  const status = yield* ask.stat(path)
  return status.ok ? status.value.type : isAbsent(status.code) ? 'missing' : 'unknown'
}

const CHANGING = 'a process that changes its lock type'

function verdict(path: string, outcome: Exclude<Dissolution, { kind: 'obstructed' }>, refusal: ForeignLockError): string | null {
  switch (outcome.kind) {
    case 'gone':
    case 'kept':
      return null
    case 'busy':
      return CHANGING
    case 'held':
      throw heldError(path, LOCK_TYPE_OF_KIND[outcome.lockKind], outcome.holder === null ? null : describeHolder(outcome.holder))
    case 'foreign':
      throw refusal
    case 'ahead':
      throw new ForeignLockError(
        path,
        "it is a free lock of another lock type, but its last token is ahead of the file server's clock, which was probably set back",
        "Correct the server's clock, or wait until it has caught up: tokens must not go back.",
      )
    case 'failed':
      throw fileSystemError({ action: 'rename', path, errno: outcome.code, fileSystem: fileSystemAt(path), cause: outcome.error })
  }
}

function heldError(path: string, lockType: LockType, holder: string | null): ForeignLockError {
  const by = holder === null ? '' : ` by ${holder}`
  const advice = `Use lockType: '${lockType}' here, or try again when it is released: a free one makes way by itself.`
  return new ForeignLockError(path, `it is held as ${article(lockType)} ${TYPE_IN_WORDS[lockType]} lock${by}`, advice)
}

const article = (lockType: LockType) => (lockType === 'advisory' ? 'an' : 'a')

/** The path becomes a lock directory: not with blocking calls, since `fs-ext` has none for fcntl locks. */
function* giveUpFile(path: string, facts: DirectoryFacts, footing: () => Footing | null): Work<'done' | 'busy'> {
  const refuse = (): never => {
    throw new ForeignLockError(
      path,
      'it is the file of an advisory lock, and blocking calls cannot find out whether it is free',
      'Acquire it once with acquire() or tryAcquire(), or remove the file when no process holds the lock.',
    )
  }
  return yield* eitherWay(refuse, () => giveUpFileAsynchronously(path, facts, footing()))
}

async function giveUpFileAsynchronously(path: string, facts: DirectoryFacts, footing: Footing | null): Promise<'done' | 'busy'> {
  let outcome: GiveUpOutcome
  try {
    const { lane } = mountOfDevice(facts.dev)
    const areOne = () => areOneLock(lockPath(path).directory, facts, lane)
    outcome = await giveUp(path, { calls: callsOf('both', facts), lane, areOne }, footing)
  } catch (error) {
    throw explain(path, error)
  }
  switch (outcome.kind) {
    case 'gone':
      return 'done'
    case 'replaced':
      return 'busy'
    case 'held':
      throw heldError(path, 'advisory', outcome.pid === null ? null : `process ${outcome.pid} on this host`)
    case 'not-empty':
      throw new ForeignLockError(
        path,
        'it is a file with something in it',
        "Only an empty file makes way: use lockType: 'advisory' here, or another path.",
      )
  }
}

/** What cannot be told without `fs-ext`, or in a worker thread, has to be decided by hand. */
function explain(path: string, error: unknown): unknown {
  if (!(error instanceof AdvisoryUnavailableError || error instanceof UnsupportedPlatformError)) return error
  return new ForeignLockError(
    path,
    `it is the file of an advisory lock, and it cannot be told whether that is free: ${error.message}`,
    'Or remove the file when no process holds the lock.',
  )
}
