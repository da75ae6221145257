/** The shapes of the public interface: options that go in, handles and reports that come out. */

/**
 * What kind of lock: docs/choosing-a-lock-type.md tells how to choose. The names are those of the `file-locks` configuration
 * file; `renamebased` is an addition of mountlock.
 */
export type LockType = 'linkbased' | 'advisory' | 'renamebased'

/** One of the two system calls for advisory locks. On a local file system neither sees the other. */
export type AdvisoryCall = 'flock' | 'fcntl'

/**
 * Which system calls an advisory lock uses. `both`: `flock`, then `fcntl`, so that it excludes programs which use either; one
 * of them where they are one lock (NFS, SMB). A file that is executable, or may not be written, is locked by
 * `flock` alone. `fcntl` needs the main thread and an asynchronous call: elsewhere name `flock`. On SMB flock does not exclude:
 * there it is `fcntl` alone, and what could only have `flock` is refused (`FLOCK_UNSAFE`).
 */
export type AdvisoryKind = 'both' | AdvisoryCall

/** What `lock.token` is, by lock type: a `bigint`, or `null` where the lock type has none (`advisory`). */
export type TokenOf<Type extends LockType> = Type extends 'advisory' ? null : bigint

/** The settings of a locker. Those that are not given come from `config`, or else from the defaults. */
export interface LockerOptions {
  /** Path of a `file-locks` configuration file; a missing file means the defaults. Nothing is read when this is absent. */
  config?: string
  /**
   * Throw a {@link ConfigError} when the configuration file has a diagnostic, instead of going on with the default.
   * @default false
   */
  strict?: boolean
  /** The lock type. All processes that share a lock must use the same one. @default 'linkbased' */
  lockType?: LockType
  /**
   * Link-based locks only: symbolic links, for file systems that refuse hard links, or allow few of a file (Amazon EFS: 177).
   * @default false
   */
  useSymlinks?: boolean
  /** Advisory locks only: which system calls. @default 'both' */
  advisoryKind?: AdvisoryKind
  /**
   * Locks that Posit Workbench and RStudio Server respect, at the paths that they lock themselves: see docs/workbench.md.
   * The lock of ours that goes with each is link-based, whatever `lockType` says. @default false
   */
  workbench?: boolean | WorkbenchOptions
  /** How often held locks are refreshed, in whole milliseconds; at least 100. @default 20000 */
  refreshRateMs?: number
  /**
   * Locks that were not refreshed for this long count as abandoned, in whole milliseconds; more than `refreshRateMs`, and a
   * day at the most. @default 30000
   */
  timeoutIntervalMs?: number
  /** A few words about the holder, shown to waiters and by `inspect`; at most 120 characters are kept. @default '' */
  label?: string
  /** Log every attempt to acquire, every release, refresh failure and reap. @default false */
  enableLogging?: boolean
  /** The log file; a relative path is resolved when the locker is made. @default the system log */
  logFile?: string
}

/** Locks that Workbench respects. */
export interface WorkbenchOptions {
  /**
   * Also keep sessions with `lock-type=advisory` out, which takes an asynchronous call in the main thread, and `fs-ext`.
   * @default true
   */
  advisory?: boolean
  /**
   * The `timeout-interval` of Workbench's own locks, in milliseconds; at least 3000. Locks of theirs that were not refreshed for
   * so long are taken over. @default that of `config`, if that is given, otherwise 30000
   */
  timeoutIntervalMs?: number
}

/** Options of `tryAcquire` and `tryAcquireSync`. */
export interface TryAcquireOptions {
  /** A shared (read) lock, which several holders may have at once: advisory locks only. @default false */
  shared?: boolean | undefined
}

/** Options of `acquire`, `withLock` and `acquireAll`. */
export interface AcquireOptions extends TryAcquireOptions {
  /**
   * How long to wait for a holder at the most, in milliseconds; `Infinity` waits for ever. With 0, one try is made, which has
   * up to a second.
   * @default timeoutIntervalMs + refreshRateMs + 10000
   */
  waitMs?: number | undefined
  /** When it is aborted, the wait ends with an {@link AbortError}, and nothing is held. @default none */
  signal?: AbortSignal | undefined
}

/** Options of `acquireSync`: those of `acquire` without `signal`, which could not be aborted while the thread is blocked. */
export type AcquireSyncOptions = Omit<AcquireOptions, 'signal'>

/** What a release has found. */
export interface ReleaseResult {
  /** `true` if the lock had been lost before it was released, or if it cannot be told that it had not. */
  lost: boolean
}

/**
 * A held lock. Disposing it (`await using`) releases it, and throws `LockLostError` where it had been lost and neither its
 * signal nor {@link Lock.assertHeld} has told so before.
 */
export interface Lock<Type extends LockType = LockType> extends AsyncDisposable, Disposable {
  /** The absolute path of the lock. */
  readonly path: string
  /** Its lock type. */
  readonly lockType: Type
  /**
   * The fencing token: strictly increasing for this path, across all nodes. Hand it to the resource that the lock
   * protects, which must refuse smaller ones. `null` for advisory locks, which have none.
   */
  readonly token: TokenOf<Type>
  /**
   * Aborted as soon as the lock may have been lost; its reason is a `LockLostError`. A process that stood still may find it
   * aborted when it first asks, and an `abort` event that is over does not come again: ask for `aborted` where you listen.
   */
  readonly signal: AbortSignal
  /**
   * How long the lock is certain to be ours from now on, in milliseconds, by this machine's clocks; 0 when lost or
   * released. `Infinity` for advisory locks.
   */
  readonly remainingMs: number
  /** `false` as soon as the lock was released or may have been lost. Decides from the clocks at the moment of the call. */
  readonly held: boolean
  /**
   * Throws `LockLostError` unless {@link held}. An operation *begun* before a deadline may take effect after it: only
   * the token protects there.
   */
  assertHeld(): void
  /**
   * Reads a file that the lock protects, as the server has it and never from this node's cache: a lock is no cache barrier.
   * A file that this process has locked with fcntl is refused: reading it would let go of that lock.
   * @throws LockLostError, InvalidArgumentError, and the errors of `fs.readFile`
   */
  readFile(path: string): Promise<Buffer>
  /**
   * Replaces a file that the lock protects: a new one is written beside it and renamed into its place, so that no node mixes
   * old data with new. It has the mode of the old one, and its owner and group where this process may give files away; where
   * the group cannot be kept, its permissions are dropped. Extended attributes and ACLs are not kept. A symbolic link stays: the
   * file that it leads to is replaced. The file that an advisory lock is on is refused: the lock would be on none that is found.
   * @throws LockLostError, InvalidArgumentError, and the system's errors; then the file is as it was
   */
  replaceFile(path: string, data: string | Uint8Array): Promise<void>
  /**
   * Gives the lock back. A second call returns the result of the first.
   * @throws LockFileSystemError when it cannot be told whether the lock was released; it is settled in the background, and the
   * lock is not acquired again by this process before that
   */
  release(): Promise<ReleaseResult>
  /**
   * {@link Lock.release} with blocking calls. While a `release` is under way it tells what is known of a loss so far.
   * @throws LockFileSystemError as `release` does
   */
  releaseSync(): ReleaseResult
}

/** The holder of a lock. Fields that the lock type cannot know are `null`. */
export interface Holder {
  /** The name of its host. */
  host: string | null
  /** Its process id, as its own host counts. */
  pid: number | null
  /** The user id that it runs as. */
  uid: number | null
  /** The name of that user, on its own host. */
  user: string | null
  /** The `label` of its locker; `''` when it gave none. */
  label: string | null
  /**
   * When it was acquired, in milliseconds since the epoch, by the file server's clock. On a shared mount, link-based locks know
   * it with symlinks only. On a file system of this host, locks by hard link or rename tell when their directory last changed:
   * when the lock was acquired, or later, when the last waiter gave up.
   */
  since: number | null
  /** How long ago its last heartbeat was, in milliseconds, by the file server's clock: an estimate, which decides nothing. */
  heartbeatAgeMs: number | null
  /** Does it run on this host, in this process namespace? */
  sameHost: boolean
}

/** A process that waits for a lock. Fields that its record does not tell are `null`. */
export interface WaitingProcess {
  /** The name of its host. */
  host: string
  /** Its process id, as its own host counts. */
  pid: number
  /** The user id that it runs as. */
  uid: number | null
  /** The name of that user, on its own host. */
  user: string | null
  /** The `label` of its locker. */
  label: string | null
  /** Since when, in milliseconds since the epoch, by the file server's clock. */
  since: number | null
  /** Does it run on this host, in this process namespace? */
  sameHost: boolean
}

/** What `inspect` tells of every lock. */
interface InspectionBase {
  /** The absolute path of the lock. */
  path: string
  /** The lock type of the locker that looked. */
  lockType: LockType
  /** The highest fencing token handed out so far; `null` when there is none yet, and for advisory locks. */
  token: bigint | null
  /** Names in the lock directory that are not ours; they are left alone. */
  unknownEntries: string[]
  /**
   * Advisory locks that are held, and of which both calls were asked: with which of them. `['flock']` alone keeps out no
   * program that uses `fcntl`.
   */
  heldWith?: AdvisoryCall[]
  /**
   * The processes that wait for it, in the order in which it will be left to them. Not those that wait with blocking
   * calls, or for an advisory lock: these leave no mark.
   */
  waiters: WaitingProcess[]
}

/** What `inspect` has found: {@link InspectionBase}, and what `state` adds to it. */
export type Inspection =
  /** No process holds it. */
  | (InspectionBase & { state: 'free' })
  /** It is held, as far as can be told. */
  | (InspectionBase & { state: 'held'; holder: Holder })
  /** The holder is known to be dead: the next acquirer takes over. */
  | (InspectionBase & { state: 'stale'; holder: Holder })
  /** It cannot be told; `reason` says why. */
  | (InspectionBase & { state: 'unknown'; reason: string; holder: Holder | null })

/**
 * Several locks that were acquired together, in the order in which their paths were given. Disposing it (`await using`) releases
 * all, and throws `LockLostError` where one had been lost.
 */
export interface LockList<Type extends LockType = LockType> extends ReadonlyArray<Lock<Type>>, AsyncDisposable {
  /**
   * Releases all of them, the last one first, also when one cannot be released. `lost`: one or more had been lost.
   * @throws what {@link Lock.release} throws
   */
  release(): Promise<ReleaseResult>
}

/** Acquires locks of one lock type. Made by `createLocker`. */
export interface Locker<Type extends LockType = LockType> extends AsyncDisposable {
  /** The settings in force: options, then the configuration file, then defaults. */
  readonly settings: Readonly<LockerSettings>
  /**
   * Acquires a lock, and waits for its holder. The directory of the lock must exist.
   * @throws LockTimeoutError, AbortError, LockerClosedError, and what {@link Locker.tryAcquire} throws
   */
  acquire(path: string, options?: AcquireOptions): Promise<Lock<Type>>
  /**
   * Acquires a lock if it is free now: `null` when it is held.
   * @throws InvalidArgumentError, LockFileSystemError, ForeignLockError, MountChangedError, AdvisoryUnavailableError,
   * LockerClosedError; LockTimeoutError when the mount does not answer within the default of `waitMs`
   */
  tryAcquire(path: string, options?: TryAcquireOptions): Promise<Lock<Type> | null>
  /**
   * {@link Locker.acquire} with blocking calls: while it waits, the thread does nothing else. A lock that this process itself
   * holds is not waited for.
   * @throws LockTimeoutError, and what {@link Locker.tryAcquire} throws
   */
  acquireSync(path: string, options?: AcquireSyncOptions): Lock<Type>
  /** {@link Locker.tryAcquire} with blocking calls: `null` when it is held. @throws what {@link Locker.tryAcquire} throws */
  tryAcquireSync(path: string, options?: TryAcquireOptions): Lock<Type> | null
  /**
   * Acquires several locks, all or none: when one cannot be acquired, the others are released. Every process takes them in the
   * same order, by the names of the locks, whatever the order of `paths`, so that no two wait for each other. `waitMs` and
   * `signal` are for all of them together. Where nodes mount directories at different places, give the locks different names.
   * @throws what {@link Locker.acquire} throws, LockLostError when one was lost while another one was waited for, and
   * InvalidArgumentError when two paths lead to the same lock
   */
  acquireAll(paths: readonly string[], options?: AcquireOptions): Promise<LockList<Type>>
  /**
   * Acquires, runs `work`, releases (also when it throws), and returns what `work` returns.
   * @throws what {@link Locker.acquire} throws, what `work` throws, and LockLostError if the lock was lost meanwhile and `work`
   * itself succeeded
   */
  withLock<T>(path: string, work: (lock: Lock<Type>) => Promise<T> | T, options?: AcquireOptions): Promise<T>
  /**
   * The holder of a lock. What it says may be over when it is read: decide nothing by it.
   * @throws LockFileSystemError, ForeignLockError, MountChangedError, LockTimeoutError when the mount does not answer
   */
  inspect(path: string): Promise<Inspection>
  /**
   * Releases everything that it holds; its waits end with a {@link LockerClosedError}. A second call waits for the first. A lock
   * that cannot be given back then goes to others after its `timeoutIntervalMs`.
   */
  close(): Promise<void>
}

/** The settings in force; {@link LockerOptions} explains each. */
export interface LockerSettings {
  /** The lock type. */
  lockType: LockType
  /** Symbolic links in place of hard links; link-based locks only. */
  useSymlinks: boolean
  /** Which system calls; advisory locks only. */
  advisoryKind: AdvisoryKind
  /** The locks that Workbench respects; `null`: its sessions know nothing of these locks. */
  workbench: Required<WorkbenchOptions> | null
  /** How often held locks are refreshed, in milliseconds. */
  refreshRateMs: number
  /** After how long without a refresh a lock counts as abandoned, in milliseconds. */
  timeoutIntervalMs: number
  /** What waiters and `inspect` see of the holder: at most 120 characters, without control characters. */
  label: string
  /** Is there a log? */
  enableLogging: boolean
  /** The absolute path of the log file; `null`: the system log. */
  logFile: string | null
}
