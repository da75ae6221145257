/** The shapes of the public interface: options that go in, handles and reports that come out. */

/**
 * What kind of lock: see the README for how to choose. Names as in the `file-locks` configuration file, of which
 * `renamebased` is our addition.
 */
export type LockType = 'linkbased' | 'advisory' | 'renamebased'

/** One of the two system calls for advisory locks. On a local file system neither sees the other. */
export type AdvisoryCall = 'flock' | 'fcntl'

/**
 * Which system calls an advisory lock uses. `both`: `flock`, then `fcntl`, so that it excludes programs which use either; one
 * of them where they are one lock (NFS, SMB). A file that is executable, or may not be written, is locked by
 * `flock` alone. `fcntl` needs the main thread and an asynchronous call: elsewhere name `flock`.
 */
export type AdvisoryKind = 'both' | AdvisoryCall

/** The settings of a locker. Those that are not given come from `config`, or else from the defaults. */
export interface LockerOptions {
  /** Path of a `file-locks` configuration file; a missing file means the defaults. Nothing is read when this is absent. */
  config?: string
  /**
   * Throw a {@link ConfigError} when the configuration file has a diagnostic, instead of going on with the default.
   * @default false
   */
  strict?: boolean
  /** @default 'linkbased' */
  lockType?: LockType
  /** Link-based locks only: symbolic links, for file systems that refuse hard links (Amazon EFS). @default false */
  useSymlinks?: boolean
  /** Advisory locks only. @default 'both' */
  advisoryKind?: AdvisoryKind
  /** How often held locks are refreshed, in milliseconds; at least 100. @default 20000 */
  refreshRateMs?: number
  /** Locks that were not refreshed for this long count as abandoned, in milliseconds; more than refreshRateMs. @default 30000 */
  timeoutIntervalMs?: number
  /** A few words about the holder, shown to waiters and by `inspect`; at most 120 characters are kept. */
  label?: string
  /** Log every attempt to acquire, every release, refresh failure and reap. @default false */
  enableLogging?: boolean
  /** Where to: a file, or the system log when absent. */
  logFile?: string
}

export interface TryAcquireOptions {
  /** A shared (read) lock: advisory locks only. @default false */
  shared?: boolean
}

export interface AcquireOptions extends TryAcquireOptions {
  /**
   * How long to wait for a holder at the most, in milliseconds; the first try has up to a second in any case.
   * @default timeoutIntervalMs + refreshRateMs + 10000
   */
  waitMs?: number
  /** Ends the wait with an {@link AbortError}. */
  signal?: AbortSignal
}

export type AcquireSyncOptions = Omit<AcquireOptions, 'signal'>

export interface ReleaseResult {
  /** `true` if the lock had been lost before it was released, or if it cannot be told that it had not. */
  lost: boolean
}

/**
 * A held lock. Disposing it (`await using`) releases it, and throws `LockLostError` where it had been lost and neither its
 * signal nor {@link Lock.assertHeld} has told so before.
 */
export interface Lock extends AsyncDisposable, Disposable {
  /** The absolute path of the lock. */
  readonly path: string
  readonly lockType: LockType
  /**
   * The fencing token: strictly increasing for this path, across all nodes. Hand it to the resource that the lock
   * protects, which must refuse smaller ones. `null` for advisory locks, which have none.
   */
  readonly token: bigint | null
  /** Aborted as soon as the lock may have been lost; its reason is a `LockLostError`. */
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
   * @throws LockLostError, and the system's errors
   */
  readFile(path: string): Promise<Buffer>
  /**
   * Replaces a file that the lock protects: a new one is written beside it and renamed into its place, so that no node mixes
   * old data with new. It has the mode of the old one, and its owner and group where this process may give files away; where
   * the group cannot be kept, its permissions are dropped. Extended attributes and ACLs are not kept. A symbolic link stays: the
   * file that it leads to is replaced. @throws LockLostError, and the system's errors; then the file is as it was
   */
  replaceFile(path: string, data: string | Uint8Array): Promise<void>
  /**
   * Gives the lock back. Idempotent: a second call returns the first one's result.
   * @throws LockFileSystemError when it cannot be told whether it was released; then it is settled later
   */
  release(): Promise<ReleaseResult>
  /** The same, with blocking calls. While a {@link release} is under way it tells what is known of a loss so far. */
  releaseSync(): ReleaseResult
}

/** The holder of a lock. Fields that the lock type cannot know are `null`. */
export interface Holder {
  host: string | null
  pid: number | null
  uid: number | null
  user: string | null
  label: string | null
  /**
   * When it was acquired, in milliseconds since the epoch, by the file server's clock. Link-based locks on a shared
   * mount know it with symlinks only.
   */
  since: number | null
  /** How long ago its last heartbeat was, by the file server's clock; an estimate for people, decides nothing. */
  heartbeatAgeMs: number | null
  /** Does it run on this host, in this process namespace? */
  sameHost: boolean
}

interface InspectionBase {
  path: string
  lockType: LockType
  /** The highest fencing token handed out so far. */
  token: bigint | null
  /** Names in the lock directory that are not ours; they are left alone. */
  unknownEntries: string[]
  /**
   * Advisory locks that are held, and of which both calls were asked: with which of them. `['flock']` alone keeps out no
   * program that uses `fcntl`.
   */
  heldWith?: AdvisoryCall[]
}

export type Inspection =
  | (InspectionBase & { state: 'free' })
  | (InspectionBase & { state: 'held'; holder: Holder })
  /** The holder is known to be dead: the next acquirer takes over. */
  | (InspectionBase & { state: 'stale'; holder: Holder })
  /** It cannot be told; `reason` says why. */
  | (InspectionBase & { state: 'unknown'; reason: string; holder: Holder | null })

export interface Locker extends AsyncDisposable {
  readonly settings: Readonly<LockerSettings>
  /** @throws LockTimeoutError, AbortError, and what {@link Locker.tryAcquire} throws */
  acquire(path: string, options?: AcquireOptions): Promise<Lock>
  /** `null` when it is held already. @throws LockFileSystemError, ForeignLockError, MountChangedError, … */
  tryAcquire(path: string, options?: TryAcquireOptions): Promise<Lock | null>
  acquireSync(path: string, options?: AcquireSyncOptions): Lock
  tryAcquireSync(path: string, options?: TryAcquireOptions): Lock | null
  /**
   * Acquires, runs `work`, releases (also when it throws). Rejects with LockLostError if the lock was lost meanwhile
   * and `work` itself succeeded.
   */
  withLock<T>(path: string, work: (lock: Lock) => Promise<T> | T, options?: AcquireOptions): Promise<T>
  inspect(path: string): Promise<Inspection>
  /** Releases everything that it holds. */
  close(): Promise<void>
}

/** The settings in force. */
export interface LockerSettings {
  lockType: LockType
  useSymlinks: boolean
  advisoryKind: AdvisoryKind
  refreshRateMs: number
  timeoutIntervalMs: number
  label: string
  enableLogging: boolean
  logFile: string | null
}
