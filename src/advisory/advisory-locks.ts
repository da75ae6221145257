/** The advisory lock type: the kernel's own whole-file locks, as far as the file system honours them. */

import type { AdvisoryHold } from './advisory.js'
import { tryCalls, tryCallsSync, BothHold, callsOf } from './both.js'
import { LossWatch, type Watched } from './loss-watch.js'
import { probeCalls } from './probe.js'
import { refuseUnsafeFlock } from './unsafe-flock.js'
import { leadsTo, lockError, type Written } from './lock-file.js'
import { areOneLock } from './one-lock.js'
import { runInLane, runNow } from './calls.js'
import { describe, Directories, fileOnDevice } from '../mounts/directories.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import type { Ground } from '../drivers/ground.js'
import { sessionOwner } from '../drivers/identity.js'
import { mountOfDevice } from '../mounts/mount.js'
import { monotonicMs } from '../drivers/clock.js'
import { already, type Work, eitherWay, runAsynchronously } from '../drivers/work.js'
import { type LostReason, MountChangedError, type MountlockError } from '../errors.js'
import type { Hold, Lockable, Locks, TryOptions, TryOutcome, WaitStyle } from '../lock-type/lock-type.js'
import { type LockPath, lockPath } from '../lock-type/lock-path.js'
import type { AdvisoryCall, AdvisoryKind, Holder, Inspection } from '../types.js'

/** Why a file in which something stands is no lock file. `isLocal`: on a file system of this machine alone. */
export type RefusalOfFile = (path: string, file: Written & { isLocal: boolean }) => MountlockError | null

export class AdvisoryLocks implements Locks {
  readonly #kind: AdvisoryKind
  readonly #refusalOf: RefusalOfFile
  readonly #directories = new Directories()
  readonly #known = new Map<string, DirectoryFacts>()
  readonly #held = new Set<HeldAdvisory>()
  readonly #refreshRateMs: number
  readonly #lossWatch: LossWatch

  constructor(kind: AdvisoryKind, refreshRateMs: number, refusalOf: RefusalOfFile = () => null) {
    this.#kind = kind
    this.#refusalOf = refusalOf
    this.#refreshRateMs = refreshRateMs
    this.#lossWatch = new LossWatch(refreshRateMs)
  }

  at(path: string): Work<Lockable> {
    const parts = lockPath(path)
    const facts = this.#known.get(parts.directory)
    return facts === undefined ? this.#firstAt(parts) : already(new AdvisoryLockable(this, parts, facts))
  }

  *#firstAt(parts: LockPath): Work<Lockable> {
    return new AdvisoryLockable(this, parts, yield* this.#look(parts.directory))
  }

  *#look(directory: string): Work<DirectoryFacts> {
    const facts = yield* this.#directories.look(directory)
    this.#known.set(directory, facts)
    return facts
  }

  /** @internal for {@link AdvisoryLockable} */
  *tryFile(parts: LockPath, { shared, wanted }: TryOptions): Work<TryOutcome> {
    const facts = this.#known.get(parts.directory) ?? (yield* this.#look(parts.directory))
    if (!wanted()) return { kind: 'cancelled' }
    const { dev, leasesLocks, plainLocal, fileSystem } = facts
    const { lane } = mountOfDevice(dev)
    const callsWith = ({ isBlocking }: { isBlocking: boolean }) => {
      refuseUnsafeFlock(parts.path, facts, { kind: this.#kind, isBlocking })
      return callsOf(this.#kind, facts)
    }
    const areOne = () => areOneLock(parts.directory, facts, lane)
    const refusalOf = (written: Written) => this.#refusalOf(parts.path, { ...written, isLocal: plainLocal })
    const options = { shared, pastCache: leasesLocks, lane, localDevice: plainLocal ? dev : null, fileSystem, refusalOf }
    const hold = yield* eitherWay(
      () => tryCallsSync(parts.path, callsWith({ isBlocking: true }), options),
      async () => await tryCalls(parts.path, callsWith({ isBlocking: false }), { ...options, areOne }),
    )
    if (hold === 'busy') return { kind: 'busy', holder: null, owner: null, generation: null }
    // A server is asked at each release; a kernel only about what was held so long that it is looked at meanwhile, too.
    const held = new HeldAdvisory(hold, this, leasesLocks ? 0 : this.#refreshRateMs)
    if (hold.dev !== dev) yield* this.#moved(parts, facts, held)
    if (!wanted()) {
      yield* held.release()
      return { kind: 'cancelled' }
    }
    this.#held.add(held)
    if (hold.mayEndUnnoticed) this.#lossWatch.add(held)
    // That both calls are one lock there may have been found out just now.
    const remark = remarkOn(hold, callsOf(this.#kind, facts))
    return { kind: 'acquired', hold: held, isWaitedFor: null, takenFrom: null, remark }
  }

  /**
   * The lock file is not on the device where the directory was. On overlayfs that is usual; otherwise a lock there is good
   * only if it is the same share: the directory is looked at anew, and after that the file must still be in it.
   */
  *#moved({ directory, path }: LockPath, before: DirectoryFacts, held: HeldAdvisory): Work<void> {
    try {
      const { dev, breaksFlock } = yield* this.#look(directory)
      // It was locked by what the mount before needs.
      if (breaksFlock && !before.breaksFlock) throw new MountChangedError(directory, describe(before), fileOnDevice(held.dev))
      if (dev === held.dev) return
      const { lane } = mountOfDevice(dev)
      const isThere = yield* eitherWay(
        () => runNow(leadsTo(path, held)),
        () => runInLane(leadsTo(path, held), lane),
      )
      if (!isThere) throw new MountChangedError(directory, describe(before), fileOnDevice(held.dev))
    } catch (error) {
      yield* held.giveBack()
      throw lockError(path, error, this.#kind === 'fcntl' ? 'fcntl' : 'flock', before.fileSystem)
    }
  }

  /** @internal for {@link HeldAdvisory} */
  forget(held: HeldAdvisory): void {
    this.#held.delete(held)
    this.#lossWatch.remove(held)
  }

  async inspect(path: string): Promise<Inspection> {
    const parts = lockPath(path)
    const facts = await runAsynchronously(this.#look(parts.directory))
    const { state, pid, reason, heldWith } = await probeCalls(
      parts.path,
      callsOf(this.#kind, facts),
      mountOfDevice(facts.dev).lane,
    )
    const base = { path: parts.path, lockType: 'advisory' as const, token: null, unknownEntries: [], waiters: [] }
    if (state === 'free') return { ...base, state }
    const holder = toHolder(pid)
    return state === 'held'
      ? { ...base, state, holder, ...(heldWith && { heldWith }) }
      : { ...base, state, reason: reason ?? 'the kernel does not tell', holder: null }
  }

  async close(): Promise<void> {
    const held = [...this.#held]
    await Promise.allSettled(held.map((hold) => hold.end('closed')))
  }
}

/** What a log should tell of a lock that was taken; `null`: nothing. */
function remarkOn(hold: AdvisoryHold, calls: readonly AdvisoryCall[]): string | null {
  if (calls.length === 1 || hold instanceof BothHold) return null
  return 'by flock alone: fcntl was not taken, since the file is executable, or may not be written'
}

/** The kernel knows the process, and only on this node. */
function toHolder(pid: number | null): Holder {
  const nothing = { uid: null, user: null, label: null, since: null, heartbeatAgeMs: null }
  return pid === null
    ? { ...nothing, host: null, pid, sameHost: false }
    : { ...nothing, host: sessionOwner().host, pid, sameHost: true }
}

class AdvisoryLockable implements Lockable {
  readonly key: string
  readonly ground: Ground | null
  readonly #locks: AdvisoryLocks
  readonly #parts: LockPath
  readonly #isLocal: boolean

  constructor(locks: AdvisoryLocks, parts: LockPath, { dev, ino, coherent, ground }: DirectoryFacts) {
    this.key = `advisory:${dev}:${ino}:${parts.name}`
    this.#locks = locks
    this.#parts = parts
    this.#isLocal = coherent
    this.ground = ground
  }

  get path(): string {
    return this.#parts.path
  }

  get waitStyle(): WaitStyle {
    return { isLocal: this.#isLocal }
  }

  tryTake(options: TryOptions): Work<TryOutcome> {
    return this.#locks.tryFile(this.#parts, options)
  }

  readonly hasTickets = false

  /** Nothing shows in a directory when an advisory lock is released, and its waiters make nothing there. */
  line(): null {
    return null
  }
}

class HeldAdvisory implements Hold, Watched {
  readonly token = null
  onLost: ((reason: LostReason) => void) | null = null
  readonly ownFile: { dev: number; ino: number }
  readonly #hold: AdvisoryHold
  readonly #locks: AdvisoryLocks
  /** When the release looks before, by the clock of `monotonicMs()`. */
  readonly #lookFromMs: number
  #isOver = false
  #lost: LostReason | null = null
  #isLooking = false

  /** `unseenMsMax`: what was held for longer is looked at before its release counts. */
  constructor(hold: AdvisoryHold, locks: AdvisoryLocks, unseenMsMax: number) {
    this.#hold = hold
    this.#lookFromMs = hold.mayEndUnnoticed ? monotonicMs() + unseenMsMax : Number.POSITIVE_INFINITY
    this.ownFile = { dev: hold.dev, ino: hold.ino }
    this.#locks = locks
  }

  get dev(): number {
    return this.#hold.dev
  }

  get ino(): number {
    return this.#hold.ino
  }

  remainingMs(): number {
    return this.#isOver ? 0 : Number.POSITIVE_INFINITY
  }

  lostReason(): LostReason | null {
    return this.#lost
  }

  *release(): Work<LostReason | null> {
    if (this.#isOver) return this.#lost
    this.#isOver = true
    this.#locks.forget(this)
    if (this.#lost === null && monotonicMs() >= this.#lookFromMs)
      this.#lost = yield* eitherWay(
        () => this.#hold.lookSync(),
        () => this.#hold.look(),
      )
    try {
      yield* eitherWay(
        () => this.#hold.releaseSync(),
        () => this.#hold.release(),
      )
    } catch (error) {
      // Without the lock, a failure to give it back means nothing.
      if (this.#lost === null) throw error
    }
    return this.#lost
  }

  /** Where something else has failed before, that is the error to tell. */
  *giveBack(): Work<void> {
    try {
      yield* this.release()
    } catch {
      // It is given back in any case.
    }
  }

  async look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const lost = await this.#hold.look()
    this.#isLooking = false
    if (lost !== null) await this.end(lost)
  }

  /** The lock is over without its holder's doing. */
  async end(reason: LostReason): Promise<void> {
    if (this.#isOver) return
    this.#lost = reason
    const releasing = runAsynchronously(this.release())
    this.onLost?.(reason)
    await releasing
  }
}
