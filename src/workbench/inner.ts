/**
 * Our own lock for a public path: link-based, in a hidden directory that is there only while a process uses it. It keeps our
 * processes apart with everything that such a lock promises; Workbench never looks at it.
 */

import { readClock } from '../drivers/clock.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import { type Ground, placeOf } from '../drivers/ground.js'
import type { Lane } from '../drivers/lane.js'
import { STICKY } from '../drivers/permissions.js'
import { runProtocol, runProtocolBlocking } from '../drivers/run.js'
import { eitherWay, type Work } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import type { FileSystemAction } from '../advice/meanings.js'
import { ForeignLockError, LockFileSystemError, type MountlockError } from '../errors.js'
import { LinkLocks, type LinkLocksOptions } from '../link/link-locks.js'
import { lockPath } from '../lock-type/lock-path.js'
import type { Lockable, TryOptions, TryOutcome } from '../lock-type/lock-type.js'
import { footingOn } from '../mounts/directories.js'
import { mountOfDevice } from '../mounts/mount.js'
import { surroundingsOf } from '../mounts/surroundings.js'
import { dissolve } from '../protocol/dissolve.js'
import { ask, type Protocol } from '../protocol/operations.js'
import type { LockView } from '../protocol/settle.js'
import type { Inspection } from '../types.js'
import { removeHidden, sweepHidden } from './sweep.js'
import type { Names } from './names.js'

/** How often the hidden directory may be removed by its last user just when this process wants to work in it. */
const ROUNDS_MAX = 20
/** Another user's process gives the directory its mode in a millisecond, and may have to wait for its turn. Chosen. */
const MOMENT_MS_MAX = 5000
const VANISHED = new Set(['ENOENT', 'ESTALE', 'EREPLACED'])

export class InnerLock {
  readonly #names: Names
  readonly #options: LinkLocksOptions
  readonly #lane: Lane
  readonly #facts: DirectoryFacts
  readonly #ground: Ground | null
  #locks: LinkLocks | null = null
  #uses = 0
  /** The hidden directory may be there because of this process. */
  #isMade = false
  #ending: Promise<unknown> = Promise.resolve()
  /** Since when another user's hidden directory may not be used yet, on our own clock. */
  #unfinishedSinceMs: number | null = null

  /** `facts`: of the directory that the public path lies in. `ground`: of what the hidden directory lies in. */
  constructor(names: Names, options: LinkLocksOptions, { facts, ground }: { facts: DirectoryFacts; ground: Ground | null }) {
    this.#names = names
    this.#options = options
    this.#lane = mountOfDevice(facts.dev).lane
    this.#facts = facts
    this.#ground = ground
  }

  enter(): void {
    this.#uses++
  }

  /** The last user leaves nothing behind. Blocking callers do not wait for that. */
  *leave(): Work<void> {
    if (--this.#uses > 0 || !this.#isMade) return
    this.#ending = Promise.all([this.#ending, this.#dissolve(this.#locks)])
    this.#locks = null
    this.#isMade = false
    yield* eitherWay(
      () => undefined,
      async () => void (await this.#ending),
    )
  }

  /** Everything that was begun has been done. */
  async settled(): Promise<void> {
    await this.#ending
  }

  *tryTake(options: TryOptions): Work<TryOutcome> {
    for (let round = 1; ; round++) {
      try {
        yield* this.#makeHidden()
        this.#locks ??= new LinkLocks(this.#options)
        const lockable = yield* this.#locks.at(this.#names.inner)
        yield* this.#refuseElsewhere(lockable)
        const outcome = yield* lockable.tryTake(options)
        this.#unfinishedSinceMs = null
        return outcome
      } catch (error) {
        const isLast = round === ROUNDS_MAX
        if (error instanceof ForeignLockError) {
          if ((yield* this.#finishDissolving(error)) === 'busy' || isLast) return LEAVING
        } else {
          if (isLast || !(hasVanished(error) || this.#mayBeUnfinished(error))) throw error
          if (yield* this.#isUnfinished(error)) return ENTERING
          yield* this.#restart()
        }
      }
    }
  }

  /** Another user has put a link in the place of the hidden directory. */
  *#refuseElsewhere({ ground }: Lockable): Work<void> {
    const { hidden } = this.#names
    if (this.#ground === null || (ground !== null && placeOf(ground) === hidden)) return
    yield* this.#restart() // nothing is done there
    const cause = new Error(`it leads to ${ground === null ? 'another place' : placeOf(ground)}`)
    throw fileSystemError({ action: 'stat', path: hidden, errno: 'ENOTDIR', fileSystem: this.#facts.fileSystem, cause })
  }

  /** A process that died as it took our lock away left a directory that is no lock. One that lives is not hurried. */
  *#finishDissolving(refusal: ForeignLockError): Work<'done' | 'busy'> {
    const outcome = yield* this.#work(() => dissolve(this.#view, 'links'))
    switch (outcome.kind) {
      case 'gone':
      case 'kept':
        return 'done'
      case 'busy':
        return 'busy'
      case 'failed':
        throw this.#refused('rename', this.#names.inner, outcome)
      default:
        throw refusal
    }
  }

  /** Of a directory that another user makes just then. */
  #mayBeUnfinished(error: unknown): boolean {
    return this.#ground !== null && error instanceof LockFileSystemError && error.errno === 'EACCES'
  }

  /**
   * Another user makes the hidden directory, and has not given it its mode yet. Where that user's process died in between, the
   * empty directory is removed. @throws `refusal` where it may not be
   */
  *#isUnfinished(refusal: unknown): Work<boolean> {
    const { hidden } = this.#names
    const status = yield* this.#work(() => ask.stat(hidden))
    if (!status.ok || status.value.uid === surroundingsOf(this.#facts).me.uid) return false
    if ((this.#facts.mode & ~status.value.mode & 0o777) === 0) return false
    const { ownMs } = readClock()
    this.#unfinishedSinceMs ??= ownMs
    if (ownMs - this.#unfinishedSinceMs < MOMENT_MS_MAX) return true
    this.#unfinishedSinceMs = null
    if (!(yield* this.#work(() => ask.rmdir(hidden))).ok) throw refusal
    return false
  }

  /** What the session stood on is gone. */
  *#restart(): Work<void> {
    const locks = this.#locks
    this.#locks = null
    yield* eitherWay<void>(
      () => void locks?.close(),
      async () => locks?.close(),
    )
  }

  *#makeHidden(): Work<void> {
    const { hidden } = this.#names
    this.#isMade = true
    const made = yield* this.#work(() => ask.mkdir(hidden, this.#facts.mode))
    if (!made.ok && made.code !== 'EEXIST') throw this.#refused('create', hidden, made)
  }

  #refused(action: FileSystemAction, path: string, { code: errno, error: cause }: { code: string; error?: unknown }) {
    return fileSystemError({ action, path, errno, fileSystem: this.#facts.fileSystem, cause })
  }

  /** `null`: there is no lock of ours. */
  async inspect(): Promise<Inspection | null> {
    const locks = new LinkLocks(this.#options)
    try {
      return await locks.inspect(this.#names.inner)
    } catch (error) {
      if (hasVanished(error)) return null
      throw error
    } finally {
      await locks.close()
    }
  }

  /**
   * In this order: of several that leave at the same time the last one finds no session of another in it. A process that finds
   * another at work on the lock leaves it to that one, which looks again when it has put it back.
   */
  async #dissolve(locks: LinkLocks | null): Promise<void> {
    await locks?.close()
    if (this.#canBeFinished) await this.#run(dissolve(this.#view, null))
    const { hidden } = this.#names
    const sweep = sweepHidden(hidden, surroundingsOf(this.#facts), this.#options.timeoutIntervalMs)
    await this.#run(sweep)
    await this.#run(removeHidden(hidden))
  }

  /**
   * Could another process finish what this one has begun, if it dies? In a sticky directory of several users it could not, and
   * a lock that is half taken away is none: there it stays.
   */
  get #canBeFinished(): boolean {
    return this.#ground === null || (this.#facts.mode & STICKY) === 0
  }

  get #view(): LockView {
    return { ...lockPath(this.#names.inner), surroundings: surroundingsOf(this.#facts) }
  }

  *#work<Result>(protocol: () => Protocol<Result>): Work<Result> {
    return yield* eitherWay(
      () => runProtocolBlocking(protocol(), undefined, footingOn(this.#ground)),
      () => this.#run(protocol()),
    )
  }

  #run<Result>(protocol: Protocol<Result>): Promise<Result> {
    return runProtocol(protocol, this.#lane, undefined, footingOn(this.#ground))
  }
}

const busy = (holder: string): TryOutcome => ({ kind: 'busy', holder, owner: null, generation: null })
const LEAVING = busy('no process, but another one is taking our own lock away just now')
const ENTERING = busy('a process of another user, which is making the directory of our own lock')

const hasVanished = (error: unknown): error is MountlockError => error instanceof LockFileSystemError && VANISHED.has(error.errno)
