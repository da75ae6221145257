/**
 * Our own lock for a public path: link-based, in a hidden directory that is there only while a process uses it. It keeps our
 * processes apart with everything that such a lock promises; Workbench never looks at it.
 */

import type { DirectoryFacts } from '../drivers/file-system.js'
import { type Ground, placeOf } from '../drivers/ground.js'
import type { Lane } from '../drivers/lane.js'
import { runProtocol, runProtocolBlocking } from '../drivers/run.js'
import { eitherWay, type Work } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { ForeignLockError, LockFileSystemError, type MountlockError } from '../errors.js'
import { LinkLocks, type LinkLocksOptions } from '../link/link-locks.js'
import { lockPath } from '../lock-type/lock-path.js'
import type { Lockable, TryOptions, TryOutcome } from '../lock-type/lock-type.js'
import { footingOn } from '../mounts/directories.js'
import { mountOfDevice } from '../mounts/mount.js'
import { surroundingsOf } from '../mounts/surroundings.js'
import { dissolve } from '../protocol/dissolve.js'
import { ask, type Protocol } from '../protocol/operations.js'
import type { Inspection } from '../types.js'
import { removeHidden, sweepHidden } from './sweep.js'
import type { Names } from './names.js'

/** How often the hidden directory may be removed by its last user just when this process wants to work in it. */
const ROUNDS_MAX = 20
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
  #ending: Promise<void> = Promise.resolve()

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
    this.#ending = this.#dissolve(this.#locks)
    this.#locks = null
    this.#isMade = false
    yield* eitherWay(
      () => undefined,
      () => this.#ending,
    )
  }

  /** Everything that was begun has been done. */
  async settled(): Promise<void> {
    await this.#ending
  }

  *tryTake(options: TryOptions): Work<TryOutcome> {
    for (let round = 1; ; round++) {
      yield* this.#makeHidden()
      this.#locks ??= new LinkLocks(this.#options)
      try {
        const lockable = yield* this.#locks.at(this.#names.inner)
        yield* this.#refuseElsewhere(lockable)
        return yield* lockable.tryTake(options)
      } catch (error) {
        if (round === ROUNDS_MAX) throw error
        if (error instanceof ForeignLockError) yield* this.#finishDissolving(error)
        else if (hasVanished(error)) yield* this.#restart()
        else throw error
      }
    }
  }

  /** Another user has put a link in the place of the hidden directory. */
  *#refuseElsewhere({ ground }: Lockable): Work<void> {
    const { hidden } = this.#names
    if (this.#ground === null || (ground !== null && placeOf(ground) === hidden)) return
    yield* this.#restart() // nothing is done there
    const cause = new Error(`it leads to ${ground === null ? 'another place' : placeOf(ground)}`)
    throw fileSystemError({ action: 'stat', path: hidden, errno: 'ENOTDIR', cause })
  }

  /** A process that died as it took our lock away left a directory that is no lock. */
  *#finishDissolving(refusal: ForeignLockError): Work<void> {
    const view = { ...lockPath(this.#names.inner), surroundings: surroundingsOf(this.#facts) }
    const { kind } = yield* eitherWay(
      () => runProtocolBlocking(dissolve(view, 'links'), undefined, footingOn(this.#ground)),
      () => this.#run(dissolve(view, 'links')),
    )
    if (kind !== 'gone' && kind !== 'kept' && kind !== 'busy') throw refusal
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
    const { mode } = this.#facts
    this.#isMade = true
    const made = yield* eitherWay(
      () => runProtocolBlocking(ask.mkdir(hidden, mode), undefined, footingOn(this.#ground)),
      () => this.#run(ask.mkdir(hidden, mode)),
    )
    if (!made.ok && made.code !== 'EEXIST')
      throw fileSystemError({ action: 'create', path: hidden, errno: made.code, cause: made.error })
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

  async #dissolve(locks: LinkLocks | null): Promise<void> {
    // Others may be at work in it: then they are the last.
    await locks?.prune(this.#names.inner).catch(() => {})
    await locks?.close()
    const { hidden } = this.#names
    const sweep = sweepHidden(hidden, surroundingsOf(this.#facts), this.#options.timeoutIntervalMs)
    await this.#run(sweep)
    await this.#run(removeHidden(hidden))
  }

  #run<Result>(protocol: Protocol<Result>): Promise<Result> {
    return runProtocol(protocol, this.#lane, undefined, footingOn(this.#ground))
  }
}

const hasVanished = (error: unknown): error is MountlockError => error instanceof LockFileSystemError && VANISHED.has(error.errno)
