/** One directory in which locks lie: what it is, the sessions of this process in it, and how the protocol runs there. */

import { type Asker, whileNot } from '../drivers/answer.js'
import { within } from '../drivers/clock.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import type { Footing } from '../drivers/footing.js'
import type { Identity } from '../drivers/ground.js'
import { sessionOwner } from '../drivers/identity.js'
import * as run from '../drivers/run.js'
import { already, eitherWay, runAsynchronously, runBlocking, type Work } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { LockerClosedError, type LockFileSystemError, MountChangedError } from '../errors.js'
import { describe, type Directories, fileOnDevice, footingOn } from '../mounts/directories.js'
import { type Mount, mountOfDevice } from '../mounts/mount.js'
import { surroundingsOf } from '../mounts/surroundings.js'
import { ask, type Failure, type Protocol } from '../protocol/operations.js'
import { createSession, isSessionFileInPlace, type Session, type SessionTerms } from '../protocol/session.js'
import { cleanUp } from '../protocol/settle.js'
import type { Site, Surroundings } from '../protocol/site.js'
import { LinkSession } from './link-session.js'
import { MarkerLooks } from './marker-looks.js'
import { Patrol, type Patrolled } from './patrol.js'

export interface LockDirectoryOptions extends SessionTerms {
  /** Each lock is a hard link to the session file, so that the file's link count tells how many there are. */
  countsLinks: boolean
  onRefreshFailed(directory: string, code: string): void
  onReaped(directory: string, names: string[]): void
  /** A session was made. */
  onSession(): void
}

/** How long closing waits for the removal of tickets. Others remove them as well, once the sessions have ended. */
const SEEN_THROUGH_MS_MAX = 1000

export class LockDirectory implements Patrolled {
  readonly path: string
  readonly markerLooks = new MarkerLooks()
  /** Session files of waiters that were found to be dead, whose tickets may have to stay all the same. */
  readonly deadOwners = new Set<string>()
  readonly #directories: Directories
  readonly #options: LockDirectoryOptions
  readonly #patrol: Patrol
  #facts: DirectoryFacts
  /** The session that takes new locks. */
  #session: LinkSession | null = null
  /** All that may still have locks or unsettled entries. */
  readonly #sessions = new Set<LinkSession>()
  /** A session that is being made: all callers wait for the same one. */
  #making: Promise<LinkSession> | null = null
  /** What is to be removed from lock directories, in the background. */
  readonly #cleaning = new Map<string, { below: string[]; listed: Identity | null }>()
  /** What no caller waits for. */
  readonly #underWay = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(path: string, facts: DirectoryFacts, directories: Directories, options: LockDirectoryOptions) {
    this.path = path
    this.#facts = facts
    this.#directories = directories
    this.#options = options
    this.#patrol = new Patrol(this, options.timeoutIntervalMs, (names) => options.onReaped(path, names))
  }

  get refreshRateMs(): number {
    return this.#options.refreshRateMs
  }

  /** Another object after each look at the directory. */
  get facts(): DirectoryFacts {
    return this.#facts
  }

  get mount(): Mount {
    return mountOfDevice(this.#facts.dev)
  }

  get surroundings(): Surroundings {
    return surroundingsOf(this.#facts)
  }

  get patrolledBy(): Mount | null {
    return this.#session?.mount ?? null
  }

  ownSessionFiles(): string[] {
    return [...this.#sessions].map(({ file }) => file.name)
  }

  /**
   * What a piece of work in this directory stands on, where other users could swap what is under it. `path`, `seen`: the lock
   * that it is about, and which directory that was seen to be.
   */
  footing(path?: string, seen?: Identity | null): Footing | null {
    return footingOn(this.#facts.ground, path, seen)
  }

  /** Runs a piece of protocol in the caller's way. */
  run<Result>(protocol: Protocol<Result>, asker?: Asker, footing = this.footing()): Work<Result> {
    // A call that waits for nothing is over sooner than a thread of the pool would have begun it.
    if (this.#facts.inMemory) return already(run.runProtocolBlocking(protocol, asker, footing))
    return eitherWay(
      () => run.runProtocolBlocking(protocol, asker, footing),
      () => this.runAsynchronously(protocol, asker, footing),
    )
  }

  runAsynchronously<Result>(protocol: Protocol<Result>, asker?: Asker, footing = this.footing()): Promise<Result> {
    return run.runProtocol(protocol, this.mount.lane, asker, footing)
  }

  /** The usable session, made when there is none. */
  session(): Work<LinkSession> {
    if (this.#session?.isUsable) return already(this.#session)
    this.#retireLast()
    return eitherWay(
      () => runBlocking(this.#makeSession()),
      () => {
        this.#making ??= runAsynchronously(this.#makeSession()).finally(() => {
          this.#making = null
        })
        return this.#making
      },
    )
  }

  /** A session that an attempt found spent takes no more locks. */
  spend(session: LinkSession): void {
    session.spend()
    if (this.#session === session) this.#session = null
  }

  /** A session that nothing has used for a whole timeout-interval ends: making another one costs less than its heartbeats. */
  endIdle(): void {
    if (this.#session === null) return
    if (this.#session.idleMs() >= this.#options.timeoutIntervalMs) this.spend(this.#session)
  }

  /** There is no session in it, and it may be forgotten. */
  get isIdle(): boolean {
    this.#forgetOver()
    return this.#sessions.size === 0 && this.#making === null
  }

  #forgetOver(): void {
    for (const session of this.#sessions) if (session.isOver) this.#sessions.delete(session)
  }

  #retireLast(): void {
    if (this.#session !== null) this.spend(this.#session)
  }

  *#makeSession(): Work<LinkSession> {
    if (this.#isClosed) throw new LockerClosedError()
    this.#facts = yield* this.#directories.look(this.path)
    const { mount } = this
    return yield* mount.withHeartbeat(() => this.#makeSessionOn(mount))
  }

  *#makeSessionOn(mount: Mount): Work<LinkSession> {
    const created = yield* this.#createFile(mount)
    const { coherent, listsAtOnce, extraSilenceMs, me } = this.surroundings
    const { dev, ground } = this.#facts
    const seed = { dev, coherent, listsAtOnce, extraSilenceMs, me, ground }
    const session = new LinkSession(created, mount, seed, (code) => this.#options.onRefreshFailed(this.path, code))
    this.#adopt(session)
    return session
  }

  /** Creates the session file on the device that the directory was seen on. */
  *#createFile(mount: Mount): Work<Session> {
    const { label, refreshRateMs, timeoutIntervalMs } = this.#options
    const onMount = <Result>(protocol: () => Protocol<Result>): Work<Result> =>
      eitherWay(
        () => run.runProtocolBlocking(protocol(), undefined, this.footing()),
        () => run.runProtocol(protocol(), mount.lane, undefined, this.footing()),
      )
    const { dev } = this.#facts
    const terms = { label, refreshRateMs, timeoutIntervalMs }
    const created = yield* onMount(() => createSession(this.path, sessionOwner(), terms))
    if (!created.ok) throw this.#refused(created)
    const misplaced = created.value.dev === dev ? null : yield* this.#misplaced(created.value)
    if (misplaced === null && !this.#isClosed) return created.value
    // The directory is another one now, or the locker closed, a moment ago: nothing stays behind.
    yield* onMount(() => ask.unlink(created.value.path))
    throw misplaced ?? new LockerClosedError()
  }

  #refused({ code: errno, error: cause }: Failure): LockFileSystemError {
    return fileSystemError({ action: 'create', path: this.path, errno, fileSystem: this.#facts.fileSystem, cause })
  }

  /**
   * A file shows another device than its directory: on overlayfs that is usual. Otherwise the directory is another one now:
   * it is looked at anew, and after that the file must still be in it. @returns what is wrong
   */
  *#misplaced(session: Session): Work<unknown> {
    try {
      yield* this.#directories.look(this.path)
    } catch (error) {
      return error
    }
    const isThere = yield* this.run(isSessionFileInPlace(session))
    return isThere ? null : new MountChangedError(this.path, describe(this.#facts), fileOnDevice(session.dev))
  }

  #adopt(session: LinkSession): void {
    if (!this.#options.countsLinks) session.doNotCountLinks()
    // A blocking call may have made another one while an asynchronous call was making this.
    this.#retireLast()
    this.#forgetOver()
    this.#session = session
    this.#sessions.add(session)
    this.#patrol.start()
    this.#options.onSession()
  }

  /** No caller waits for it, but closing does, for a bounded time. */
  seeThrough(work: Promise<unknown>): void {
    const seen = work.catch(() => {}).finally(() => this.#underWay.delete(seen)) // best effort
    this.#underWay.add(seen)
  }

  #seenThrough(): Promise<unknown> {
    return this.#underWay.size === 0 ? Promise.resolve() : within(SEEN_THROUGH_MS_MAX, Promise.all(this.#underWay))
  }

  /** Below an unmounted share everything is missing, and may come back in time. */
  isMounted({ file }: LinkSession): Promise<boolean> {
    return this.runAsynchronously(isSessionFileInPlace(file))
  }

  /**
   * Removes what lies below a lock that was acquired, on a file system of this host: elsewhere the acquirer has removed it. No
   * asynchronous caller waits for that. `listed`: the directory in which the names were seen.
   */
  cleanUp(site: Site, below: string[], listed: Identity | null): Work<unknown> {
    const now = () => run.runProtocolBlocking(cleanUp(site, below), undefined, this.footing(site.path, listed))
    if (this.#facts.inMemory) return already(now())
    return eitherWay<unknown>(now, async () => this.#cleanUpLater(site, below, listed))
  }

  #cleanUpLater(site: Site, below: string[], listed: Identity | null): void {
    const isPending = this.#cleaning.has(site.path)
    this.#cleaning.set(site.path, { below, listed }) // the latest listing says all
    if (isPending) return
    this.mount.inBackground(async () => {
      const cleaning = this.#cleaning.get(site.path)
      if (cleaning === undefined) return
      this.#cleaning.delete(site.path)
      const asker = whileNot(() => this.#isClosed)
      await this.runAsynchronously(cleanUp(site, cleaning.below), asker, this.footing(site.path, cleaning.listed))
    })
  }

  /** Releases everything. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#patrol.close()
    for (const session of this.#sessions) session.close()
    await Promise.all([...[...this.#sessions].map((session) => session.mount.ended(session.id)), this.#seenThrough()])
  }
}
