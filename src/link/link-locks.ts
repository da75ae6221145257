/** The link-based lock type: runs the protocol on real directories, with sessions that the heartbeat threads keep alive. */

import { Directories } from '../mounts/directories.js'
import type { Asker } from '../drivers/answer.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import { sessionOwner } from '../drivers/identity.js'
import { mountOfDevice } from '../mounts/mount.js'
import * as run from '../drivers/run.js'
import { already, type Work, eitherWay, runAsynchronously, runBlocking } from '../drivers/work.js'
import {
  closedError,
  ForeignLockError,
  fileSystemError,
  LockFileSystemError,
  type LostReason,
  type MountlockError,
} from '../errors.js'
import type { Lockable, Locks, TryOptions, TryOutcome, WaitStyle } from '../lock-type/lock-type.js'
import { LinkHold, type LinkSite } from './link-hold.js'
import { describeHolder } from '../lock-type/describe-holder.js'
import { toInspection } from './inspection.js'
import { type LeaseHolder, LinkSession, type LinkSessionEvents } from './link-session.js'
import { type LockPath, lockPath } from '../lock-type/lock-path.js'
import { type AttemptOutcome, attempt } from '../protocol/acquire.js'
import { inspect } from '../protocol/inspect.js'
import { type BreakOutcome, breakHolder, type PruneOutcome, prune } from '../protocol/maintain.js'
import { ask, type Protocol } from '../protocol/operations.js'
import { patrol } from '../protocol/patrol.js'
import { createSession, isSessionFileInPlace, type Session, type SessionTerms } from '../protocol/session.js'
import { cleanUp, freshListing, isAbsent, type ReleaseOutcome, release } from '../protocol/settle.js'
import { type Claim, newMemory, type Observations, type Site, type Surroundings } from '../protocol/site.js'
import type { Inspection, LockType } from '../types.js'

export interface LinkLocksOptions extends SessionTerms {
  lockType: LockType
  claim: Claim
  onRefreshFailed(directory: string, code: string): void
  onReaped(directory: string, names: string[]): void
}

/** Sessions can be found spent in a row: by age, by links, by a remount. More often than this is a defect of the file system. */
const SESSIONS_TRIED_MAX = 4

/** One directory in which locks lie: what is remembered of it, and the session in it. */
interface LockDirectory {
  path: string
  facts: DirectoryFacts
  locks: Map<string, KnownLock>
  observations: Observations
  session: LinkSession | null
  /** All that may still have locks or unsettled entries. */
  sessions: Set<LinkSession>
  /** A session that is being made: everybody waits for the same one. */
  making: Promise<LinkSession> | null
  /** What the patrol remembers of unfinished lock directories. */
  leftovers: Observations
  /** What is to be removed from lock directories, in the background. */
  cleaning: Map<string, string[]>
  patrol: NodeJS.Timeout | undefined
  /** For which locks in it this process has been waiting for a while. */
  waiting: Set<string>
}

export class LinkLocks implements Locks {
  readonly #claim: Claim
  readonly #options: LinkLocksOptions
  readonly #directories = new Directories()
  readonly #known = new Map<string, LockDirectory>()
  #isClosed = false

  constructor(options: LinkLocksOptions) {
    this.#options = options
    this.#claim = options.claim
  }

  at(path: string): Work<Lockable> {
    const parts = lockPath(path)
    const directory = this.#known.get(parts.directory)
    return directory === undefined ? this.#firstAt(parts) : already(this.#lockable(directory, parts))
  }

  *#firstAt(parts: LockPath): Work<Lockable> {
    return this.#lockable(yield* this.#directory(parts.directory), parts)
  }

  #lockable(directory: LockDirectory, parts: LockPath): Lockable {
    const { renamesNames, identity } = directory.facts
    if (this.#claim.kind === 'renames' && !renamesNames) throw renameRefused(parts.path, identity)
    return this.#lock(directory, parts)
  }

  async inspect(path: string): Promise<Inspection> {
    const parts = lockPath(path)
    const directory = await runAsynchronously(this.#directory(parts.directory))
    const { site } = this.#lock(directory, parts)
    const outcome = await run.runAsynchronously(inspect(site), mountOfDevice(site.dev).lane)
    if (outcome.kind === 'foreign') throw foreign(parts.path, outcome.what)
    if (outcome.kind === 'failed') throw fileSystemError('list', parts.path, outcome.code, outcome.error)
    return toInspection(parts.path, this.#options.lockType, outcome.inspection)
  }

  /** Takes a lock from its holder, if that is the one with this token. For administrators. */
  breakHolder(path: string, token: bigint): Promise<BreakOutcome> {
    return this.#maintain(path, (site, session) => breakHolder(site, session, token))
  }

  /** Removes a lock that nobody holds. For administrators. */
  prune(path: string): Promise<PruneOutcome> {
    return this.#maintain(path, prune)
  }

  async #maintain<Outcome>(path: string, protocol: (site: Site, session: Session) => Protocol<Outcome>): Promise<Outcome> {
    const parts = lockPath(path)
    const directory = await runAsynchronously(this.#directory(parts.directory))
    const session = await runAsynchronously(this.#session(directory))
    const { site } = this.#lock(directory, parts)
    return await run.runAsynchronously(protocol(site, session.session), session.mount.lane, session)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { patrol } of this.#known.values()) clearTimeout(patrol)
    const sessions = [...this.#known.values()].flatMap((directory) => [...directory.sessions])
    this.#known.clear()
    for (const session of sessions) session.expire('closed')
    await Promise.all(sessions.map((session) => session.mount.ended(session.id)))
  }

  *#directory(path: string): Work<LockDirectory> {
    const known = this.#known.get(path)
    if (known !== undefined) return known
    const facts = yield* this.#directories.look(path)
    // Another caller may have been here while this one waited.
    const directory = this.#known.get(path) ?? {
      path,
      facts,
      locks: new Map(),
      observations: new Map(),
      session: null,
      sessions: new Set(),
      making: null,
      leftovers: new Map(),
      cleaning: new Map(),
      patrol: undefined,
      waiting: new Set(),
    }
    this.#known.set(path, directory)
    return directory
  }

  /** @internal for {@link KnownLock} */
  *tryInSession({ directory, parts }: KnownLock, { fresh, wanted }: TryOptions): Work<TryOutcome> {
    for (let tries = 0; tries < SESSIONS_TRIED_MAX; tries++) {
      // Whether it may still be used is asked in any case, as the last thing before the claim.
      const session = directory.session ?? (yield* this.#session(directory))
      const lock = this.#lock(directory, parts)
      const { site } = lock
      const outcome = yield* this.#run(directory, site, attempt(site, session.session, fresh), new Attempting(session, wanted))
      if (site.memory.unsettled !== null) {
        const { generation, session: owner } = site.memory.unsettled
        session.mount.settle(owner, site.path, generation)
      }
      if (outcome.kind === 'acquired' && outcome.below.length > 0) yield* this.#cleanUp(directory, site, outcome)
      if (outcome.kind !== 'session-spent') return this.#result(lock, session, outcome)
      session.spend()
      directory.session = null
    }
    throw fileSystemError(
      'hard-link',
      parts.path,
      'EIO',
      new Error('the session files of this process vanish as soon as they are made'),
    )
  }

  #result(lock: KnownLock, session: LinkSession, outcome: Exclude<AttemptOutcome, { kind: 'session-spent' }>): TryOutcome {
    switch (outcome.kind) {
      case 'acquired': {
        const takenFrom = outcome.takenFrom === null ? null : describeHolder(outcome.takenFrom)
        return {
          kind: 'acquired',
          hold: new LinkHold(lock, session, outcome.generation, outcome.entry),
          isWaitedFor: outcome.isWaitedFor,
          takenFrom,
        }
      }
      case 'busy':
        return this.#busy(outcome)
      case 'cancelled':
        return { kind: 'cancelled' }
      case 'foreign':
        throw foreign(lock.path, outcome.what)
      case 'failed':
        throw this.#failed(lock.path, outcome)
    }
  }

  #busy({ holder, why }: AttemptOutcome & { kind: 'busy' }): TryOutcome {
    if (holder === null) return { kind: 'busy', holder: `somebody (${why})`, isFar: false }
    return { kind: 'busy', holder: describeHolder(holder), isFar: holder.bootId !== sessionOwner().bootId }
  }

  #failed(
    path: string,
    { action, code, error }: { action: 'claim' | 'create' | 'list'; code: string; error?: unknown },
  ): MountlockError {
    if (code === 'ECROWDED') {
      return new LockFileSystemError('ENOSPC', 'The lock directory has too many entries that this user may not remove', {
        code: 'LOCK_DIRECTORY_CROWDED',
        path,
        advice: 'Let their owner remove them, or give each user a lock of its own.',
      })
    }
    const doing = action === 'claim' ? DOING[this.#claim.name] : action
    return fileSystemError(doing, path, code, error)
  }

  /** Removes what lies below. On a server an unlink may have to wait for a dead client: then nobody waits for it, except with our own files. */
  #cleanUp(directory: LockDirectory, site: Site, { below, ownBelow }: AttemptOutcome & { kind: 'acquired' }): Work<void> {
    const { coherent, inMemory } = directory.facts
    const now = () => run.runBlocking(cleanUp(site, below))
    if (inMemory) return already(now())
    const later = async () => this.#cleanUpLater(directory, site, below)
    return eitherWay(() => (ownBelow || coherent ? now() : void later()), later)
  }

  #cleanUpLater({ cleaning }: LockDirectory, site: Site, below: string[]): void {
    const isPending = cleaning.has(site.path)
    cleaning.set(site.path, below) // the latest listing says all
    if (isPending) return
    const mount = mountOfDevice(site.dev)
    mount.inBackground(() => {
      const names = cleaning.get(site.path) ?? []
      cleaning.delete(site.path)
      return run.runAsynchronously(cleanUp(site, names), mount.lane)
    })
  }

  /** @internal for {@link KnownLock} */
  release({ directory, parts }: KnownLock, session: LinkSession, generation: bigint, entry: string): Work<ReleaseOutcome> {
    const { site } = this.#lock(directory, parts)
    return this.#run(directory, site, release(site, generation, session.id, entry), session)
  }

  /** The usable session of a directory, made when there is none. */
  #session(directory: LockDirectory): Work<LinkSession> {
    if (directory.session?.isUsable) return already(directory.session)
    directory.session = null
    return eitherWay(
      () => runBlocking(this.#makeSession(directory)),
      () => {
        directory.making ??= runAsynchronously(this.#makeSession(directory)).finally(() => {
          directory.making = null
        })
        return directory.making
      },
    )
  }

  *#makeSession(directory: LockDirectory): Work<LinkSession> {
    if (this.#isClosed) throw closedError()
    directory.facts = yield* this.#directories.look(directory.path)
    const { dev } = directory.facts
    const mount = mountOfDevice(dev)
    yield* eitherWay(
      () => mount.startBlocking(),
      () => mount.start(),
    )
    const { label, refreshRateMs, timeoutIntervalMs } = this.#options
    const creating = () => createSession(directory.path, sessionOwner(), { label, refreshRateMs, timeoutIntervalMs })
    const created = yield* eitherWay(
      () => run.runBlocking(creating()),
      () => run.runAsynchronously(creating(), mount.lane),
    )
    if (!created.ok) throw fileSystemError('create', directory.path, created.code, created.error)
    if (created.value.dev !== dev || this.#isClosed) {
      // The share was unmounted, or the locker closed, a moment ago: nothing stays behind.
      const remove = () => ask.unlink(created.value.path)
      yield* eitherWay(
        () => run.runBlocking(remove()),
        () => run.runAsynchronously(remove(), mount.lane),
      )
      if (this.#isClosed) throw closedError()
      yield* this.#directories.look(directory.path)
      throw fileSystemError('create', directory.path, 'ESTALE')
    }
    const session = new LinkSession(created.value, mount, surroundings(directory), this.#sessionEvents(directory))
    // Only hard links are counted; the other claims are looked at in turn.
    if (this.#claim.name !== 'hard link') session.nothingWasMissing()
    directory.session = session
    for (const old of directory.sessions) if (old.isOver) directory.sessions.delete(old)
    directory.sessions.add(session)
    if (directory.waiting.size > 0) session.announceWaiting(directory.waiting)
    if (directory.patrol === undefined) this.#patrol(directory, 0)
    return session
  }

  #sessionEvents(directory: LockDirectory): LinkSessionEvents {
    let isLooking = false
    return {
      onRefreshFailed: (code) => this.#options.onRefreshFailed(directory.path, code),
      onNamesMissing: async (session) => {
        if (isLooking) return // a look at thousands of locks may take longer than the next heartbeat
        isLooking = true
        if (await this.#lookAt(directory, session, session.holders)) session.nothingWasMissing()
        isLooking = false
      },
      // A heartbeat costs the same for thousands of locks as for one. The price: an administrator who takes one of n is noticed
      // after up to n heartbeats. (Whoever takes over a dead holder's lock need not be noticed: the lease tells.)
      onTimeToLook: (session) => {
        const next = session.nextInTurn()
        if (next !== undefined) void this.#lookAt(directory, session, [next])
      },
    }
  }

  /** Every timeout-interval, as long as there is a session in the directory. */
  #patrol(directory: LockDirectory, delayMs: number): void {
    directory.patrol = setTimeout(() => {
      const { session } = directory
      directory.patrol = undefined
      if (this.#isClosed || session === null) return
      session.mount.inBackground(async () => {
        const own = [...directory.sessions].map(({ session: { name } }) => name)
        const protocol = patrol(directory.path, own, surroundings(directory), directory.leftovers)
        try {
          const { reaped } = await run.runAsynchronously(protocol, session.mount.lane)
          if (reaped.length > 0) this.#options.onReaped(directory.path, reaped)
        } finally {
          if (!this.#isClosed && directory.patrol === undefined) this.#patrol(directory, this.#options.timeoutIntervalMs)
        }
      })
    }, delayMs)
    directory.patrol.unref()
  }

  /** Finds out which locks of a session are gone, and tells their holders. `true` if none is. */
  async #lookAt(directory: LockDirectory, session: LinkSession, holders: Iterable<LeaseHolder>): Promise<boolean> {
    let isComplete = true
    for (const hold of holders) {
      if (!(hold instanceof LinkHold)) continue
      const reason = await this.#missing(this.#lock(directory, lockPath(hold.site.path)).site, session, hold.token)
      if (reason === null) continue
      isComplete = false
      hold.lose(reason)
    }
    return isComplete
  }

  /** Below an unmounted share everything is missing, and may come back in time. */
  #isMounted(site: Site, { session }: LinkSession): Promise<boolean> {
    return run.runAsynchronously(isSessionFileInPlace(session), mountOfDevice(site.dev).lane)
  }

  async #missing(site: Site, session: LinkSession, generation: bigint): Promise<LostReason | null> {
    const listed = await run.runAsynchronously(freshListing(site), mountOfDevice(site.dev).lane)
    if (!listed.ok) return isAbsent(listed.code) && (await this.#isMounted(site, session)) ? 'removed' : null
    const { highest, free } = listed.value
    if (highest !== null && highest > generation) return 'taken-over'
    return highest !== generation || free ? 'removed' : null
  }

  /** What is known of a lock, kept for as long as the directory stays what it is. */
  #lock(directory: LockDirectory, parts: LockPath): KnownLock {
    const { locks, facts } = directory
    const known = locks.get(parts.name)
    if (known !== undefined && known.facts === facts) return known
    const site: Site = {
      path: parts.path,
      directory: directory.path,
      dev: facts.dev,
      mode: facts.mode,
      claim: this.#claim,
      memory: known?.site.memory ?? newMemory(),
      surroundings: surroundings(directory),
    }
    if (known === undefined) forgetSome(locks)
    const lock = new KnownLock(this, directory, parts, site)
    locks.set(parts.name, lock)
    return lock
  }

  #run<Result>({ facts }: LockDirectory, site: Site, protocol: Protocol<Result>, asker: Asker): Work<Result> {
    // A call that waits for nothing is over sooner than a thread of the pool would have begun it.
    if (facts.inMemory) return already(run.runBlocking(protocol, asker))
    return eitherWay(
      () => run.runBlocking(protocol, asker),
      () => run.runAsynchronously(protocol, mountOfDevice(site.dev).lane, asker),
    )
  }
}

/** What is remembered saves a listing, and nothing depends on it but what is not settled. */
function forgetSome(locks: Map<string, KnownLock>): void {
  if (locks.size < LOCKS_MAX) return
  for (const [name, { site }] of locks) {
    if (site.memory.unsettled !== null) continue
    locks.delete(name)
    return
  }
}

const LOCKS_MAX = 20_000

/** A lock, with what its directory was when it was seen. Made once for each, and not for each of its cycles. */
class KnownLock implements Lockable, LinkSite {
  readonly key: string
  readonly directory: LockDirectory
  readonly facts: DirectoryFacts
  readonly parts: LockPath
  readonly site: Site
  readonly #locks: LinkLocks

  constructor(locks: LinkLocks, directory: LockDirectory, parts: LockPath, site: Site) {
    const { dev, ino } = directory.facts
    this.key = `link:${dev}:${ino}:${parts.name}`
    this.directory = directory
    this.facts = directory.facts
    this.parts = parts
    this.site = site
    this.#locks = locks
  }

  get path(): string {
    return this.parts.path
  }

  get waitStyle(): WaitStyle {
    return { watchPath: this.path, isLocal: this.facts.coherent }
  }

  tryTake(options: TryOptions): Work<TryOutcome> {
    return this.#locks.tryInSession(this, options)
  }

  announceWaiting(isWaiting: boolean): void {
    const { waiting, session } = this.directory
    if (isWaiting) waiting.add(this.parts.name)
    else waiting.delete(this.parts.name)
    session?.announceWaiting(waiting)
  }

  release(session: LinkSession, generation: bigint, entry: string): Work<ReleaseOutcome> {
    return this.#locks.release(this, session, generation, entry)
  }
}

/** Who tries to acquire with a session may lose interest in it. */
class Attempting implements Asker {
  readonly #session: LinkSession
  readonly wanted: () => boolean

  constructor(session: LinkSession, wanted: () => boolean) {
    this.#session = session
    this.wanted = wanted
  }

  leaseRemainingMs(id: string): number {
    return this.#session.leaseRemainingMs(id)
  }
}

function surroundings({ facts, observations }: Pick<LockDirectory, 'facts' | 'observations'>): Surroundings {
  return { coherent: facts.coherent, extraSilenceMs: facts.staleOpenMs, me: sessionOwner(), observations }
}

const DOING = { 'hard link': 'hard-link', symlink: 'symlink', rename: 'rename' } as const

const FOREIGN: Record<
  'file' | 'symlink' | 'unmarked' | 'other-kind' | 'empty' | 'backwards' | 'exhausted',
  [what: string, advice: string]
> = {
  file: [
    'it is a regular file, perhaps the file of an advisory lock',
    'Use lock-type=advisory for it, choose another path, or remove the file if nobody locks it.',
  ],
  unmarked: [
    'it is a directory without our marker, perhaps the lock of another program',
    'Choose another path, or remove the directory if nobody uses it.',
  ],
  'other-kind': [
    'it is a lock of another lock-type: linkbased and renamebased must not be mixed on one path',
    'Use the lock-type that it was made with, or remove the directory when no process holds the lock.',
  ],
  empty: ['its generations have been deleted', 'Remove the whole directory when no process holds the lock or waits for it.'],
  symlink: ['it is a symbolic link', 'Name the lock directory itself, or remove the link if nobody needs it.'],
  exhausted: [
    'its generations have no next one: they are not ours',
    'Remove the whole directory when no process holds the lock or waits for it.',
  ],
  backwards: [
    'its generations went backwards: it was replaced or restored from a backup',
    'Restart the processes that use it, when none of them holds it.',
  ],
}

function renameRefused(path: string, identity: string): LockFileSystemError {
  return new LockFileSystemError('EOPNOTSUPP', `On this file system (${identity}) two renames of one file may both succeed`, {
    code: 'RENAME_NOT_EXCLUSIVE',
    path,
    advice: 'lock-type=renamebased needs NFS, ext4, xfs, btrfs or tmpfs: use lock-type=linkbased here.',
  })
}

function foreign(path: string, what: keyof typeof FOREIGN): ForeignLockError {
  return new ForeignLockError(path, ...FOREIGN[what])
}
