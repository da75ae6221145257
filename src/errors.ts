/**
 * What this package throws on purpose: the classes, and every stable `code`. An error is made in the room that sees it, with the
 * sentence that tells the reader what to do. What an error of the file system means stands in one table: `advice/meanings.ts`.
 *
 * What it does not promise: the wording of `message`. Programs decide by `code` (or by class), people read `message`.
 */

/**
 * What `error.code` can be; docs/troubleshooting.md has a section for each. `SYMLINKS_REFUSED`: the file system makes none;
 * `SYMLINK_REFUSED`: one lies in the path.
 */
// prettier-ignore
export type ErrorCode =
  | 'ABORT_ERR' | 'ACCESS_DENIED' | 'BEING_EXECUTED' | 'CONFIG_INVALID' | 'CREDENTIALS_EXPIRED' | 'CROSS_DEVICE'
  | 'DIRECTORY_REPLACED' | 'FILE_SYSTEM_DAMAGED' | 'FILE_SYSTEM_ERROR' | 'FLOCK_UNSAFE' | 'FOREIGN_LOCK' | 'FS_EXT_ADDONS_DISABLED'
  | 'FS_EXT_NOT_BUILT' | 'FS_EXT_NOT_INSTALLED' | 'FS_EXT_SCRIPT_BLOCKED' | 'FS_EXT_WRONG_NODE' | 'HARD_LINKS_REFUSED'
  | 'HARD_LINKS_UNSAFE' | 'HEARTBEAT_FAILED' | 'INTERNAL_ERROR' | 'INVALID_ARGUMENT' | 'IO_ERROR' | 'LOCKER_CLOSED'
  | 'LOCK_DIRECTORY_CROWDED' | 'LOCK_LOST' | 'LOCK_TIMEOUT' | 'MOUNT_CHANGED' | 'NAME_TOO_LONG' | 'NOT_PERMITTED'
  | 'NOT_SUPPORTED' | 'NO_DESCRIPTORS' | 'NO_LOCK_SERVICE' | 'NO_SPACE' | 'PARENT_MISSING' | 'PARENT_NOT_DIRECTORY'
  | 'QUOTA_EXCEEDED' | 'READ_ONLY' | 'RENAME_NOT_EXCLUSIVE' | 'SERVER_TIMEOUT' | 'SERVER_UNREACHABLE' | 'STALE_HANDLE'
  | 'SYMLINKS_REFUSED' | 'SYMLINK_REFUSED' | 'TOO_MANY_DIRECTORIES' | 'TOO_MANY_FILES' | 'TOO_MANY_LINKS'
  | 'UNSUPPORTED_PLATFORM'

/** What a {@link MountlockError} is made of. */
export interface MountlockErrorOptions {
  /** Its stable code. */
  code: ErrorCode
  /** The lock path (or file) that the error is about; `undefined` where it is about none, such as `fs-ext` or an option. */
  path?: string | undefined
  /** One sentence: what the reader can do about it. */
  advice: string
  /** The system error behind it, where there is one. */
  cause?: unknown
}

// The names of errors are written down: the bundler of a program may shorten those of classes (see the end of the file).

/** The base class of everything below. `message` is "what happened: path: why. What to do." */
export class MountlockError extends Error {
  override readonly name: string = 'MountlockError'
  /** Stable: programs decide by it. */
  readonly code: ErrorCode
  /** The lock path (or file) that the error is about; `undefined` where it is about none, such as `fs-ext` or an option. */
  readonly path: string | undefined
  /** One sentence: what the reader can do about it. */
  declare readonly advice: string

  constructor(what: string, { code, path, advice, cause }: MountlockErrorOptions) {
    const where = path === undefined ? '' : `: ${path}`
    super(`${asSentence(`${what}${where}${describeCause(cause)}`)} ${advice}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.path = path
    // The message has it already, so that it is not shown twice.
    Object.defineProperty(this, 'advice', { value: advice, enumerable: false })
  }
}

/** The holder that a waiter saw last. */
export interface SeenHolder {
  /** Where it runs. */
  host: string | null
  /** Its process id there. */
  pid: number | null
  /** The user id that it runs as. */
  uid: number | null
  /** The name of that user, on its own host. */
  user: string | null
  /** The `label` of its locker. */
  label: string | null
  /** Does it run on this host, in this process namespace? */
  sameHost: boolean
}

/** What was known when a wait was over. */
export interface LockTimeoutDetails {
  /** In words: what was waited for. */
  why: string
  /** The holder that was seen last. */
  holder?: SeenHolder | null
  /** How many waiters came before. */
  waitersBefore?: number | null
  /** The thread that would wait is that of the holder: it ended at once. @default false */
  isInVain?: boolean
}

/** The wait was over before the lock was ours. `code` is `LOCK_TIMEOUT`. */
export class LockTimeoutError extends MountlockError {
  override readonly name = 'LockTimeoutError'
  /** How long the caller was ready to wait, in milliseconds. */
  readonly waitMs: number
  /** The holder that was seen last; `null` where none was, or the lock type does not tell. */
  declare readonly holder: SeenHolder | null
  /** How many waiters came before this one, as far as it knew; `null` where waiters have no tickets, or it had none yet. */
  readonly waitersBefore: number | null
  constructor(path: string, waitMs: number, details: LockTimeoutDetails) {
    const { why: waitedFor, holder = null, waitersBefore = null, isInVain = false } = details
    const wait = waitMs === 0 ? 'at the first try' : `within ${Math.ceil(waitMs)} ms`
    const queue =
      waitersBefore === null
        ? ''
        : waitersBefore === 0
          ? '; this waiter was first in line'
          : `; waiters before this one: ${waitersBefore}`
    const why = `${waitedFor}${queue}`
    super(isInVain ? `It cannot be waited for (${why})` : `Not acquired ${wait} (${why})`, {
      code: 'LOCK_TIMEOUT',
      path,
      advice: isInVain
        ? 'Release it first, or wait with acquire, which does not block the thread.'
        : `${waitMs === 0 ? 'Wait for it' : 'Wait longer'} (waitMs), or find out what the holder is doing.`,
    })
    this.waitMs = waitMs
    // The message has it in words. Eight lines of it are too many where no program catches the error.
    Object.defineProperty(this, 'holder', { value: holder, enumerable: false })
    this.waitersBefore = waitersBefore
  }
}

/** Why a lock may have been lost: docs/troubleshooting.md explains each, under `LOCK_LOST`. See {@link LockLostError}. */
export type LostReason =
  | 'lease-expired' // no heartbeat was completed in time
  | 'retired' // its session is over: a heartbeat found that the lease had run out, or that the session file is gone
  | 'heartbeat-ended' // the heartbeat thread of this process ended, so that nothing keeps the lock alive
  | 'taken-over' // another process holds a higher generation
  | 'broken' // there is a higher generation, and no process holds it: an administrator broke the holder's claim
  | 'removed' // the lock's entry is gone from its directory
  | 'reaped' // Workbench: its file at the public path is gone, or another one
  | 'closed' // the locker was closed
  | 'advisory-lost' // the kernel does not hold the advisory lock any more

const LOST_TEXT: Record<LostReason, string> = {
  'lease-expired': 'no heartbeat was completed within the timeout-interval',
  retired:
    'its session is over: by one of the clocks more time passed between two heartbeats than its lease lasts, or its session file was removed or marked as ended',
  'heartbeat-ended': 'the heartbeat thread of this process ended, so that nothing keeps the lock alive',
  'taken-over': 'another process has taken it since',
  broken: 'it was taken from this holder and is free now, probably by locktester break',
  removed: 'its entry is gone from the lock directory',
  reaped: 'its file at the public path was removed or replaced, as Workbench does with a lock that it takes for abandoned',
  closed: 'it was released or its locker closed',
  'advisory-lost': 'a read under the lock failed, or its fcntl lock is gone: the kernel has probably dropped it',
}

/** The lock may not be ours any more. `code` is `LOCK_LOST`. The reason of `lock.signal`, thrown by `assertHeld()`. */
export class LockLostError extends MountlockError {
  override readonly name = 'LockLostError'
  /** What became of it. */
  readonly reason: LostReason
  constructor(path: string, reason: LostReason, cause?: unknown) {
    super(`The lock may have been lost (${LOST_TEXT[reason]})`, {
      code: 'LOCK_LOST',
      path,
      cause,
      advice: 'Stop writing what it protects, and acquire it again.',
    })
    this.reason = reason
  }
}

/**
 * The caller's `AbortSignal` ended the wait. `name` is `AbortError`, `code` is `ABORT_ERR`, as in Node's own APIs;
 * `cause` is the signal's reason.
 */
export class AbortError extends MountlockError {
  override readonly name = 'AbortError'
  constructor(path: string, reason: unknown) {
    super('Waiting for the lock was aborted', { code: 'ABORT_ERR', path, cause: reason, advice: 'Nothing is held.' })
  }
}

/** The directory is now on another file system than before. `code` is `MOUNT_CHANGED`. */
export class MountChangedError extends MountlockError {
  override readonly name = 'MountChangedError'
  constructor(path: string, before: string, now: string) {
    super(`The directory was on ${before} and is now on ${now}: the share seems to be unmounted`, {
      code: 'MOUNT_CHANGED',
      path,
      advice: 'Mount the share again: other nodes would not see a lock on the disk below.',
    })
  }
}

/** Something that the platform, or this kind of thread, cannot do. `code` is `UNSUPPORTED_PLATFORM`. */
export class UnsupportedPlatformError extends MountlockError {
  override readonly name = 'UnsupportedPlatformError'
  constructor(what: string, advice: string, path?: string) {
    super(what, { code: 'UNSUPPORTED_PLATFORM', path, advice })
  }
}

/** An argument or option is not of the form it must have. `code` is `INVALID_ARGUMENT`. */
export class InvalidArgumentError extends MountlockError {
  override readonly name: string = 'InvalidArgumentError'
  constructor(what: string, advice: string, options: Partial<MountlockErrorOptions> = {}) {
    super(what, { code: 'INVALID_ARGUMENT', advice, ...options })
  }
}

/** The locker was closed, before the call or while it waited. `code` is `LOCKER_CLOSED`. */
export class LockerClosedError extends InvalidArgumentError {
  override readonly name = 'LockerClosedError'
  constructor(what = 'This locker is closed', path?: string) {
    super(what, 'Nothing is held. Create another locker.', { code: 'LOCKER_CLOSED', path })
  }
}

/** The path is something that is not one of our locks, or a lock of another kind. `code` is `FOREIGN_LOCK`. */
export class ForeignLockError extends MountlockError {
  override readonly name = 'ForeignLockError'
  constructor(path: string, what: string, advice: string) {
    super(`The path is not a lock that can be used here (${what})`, { code: 'FOREIGN_LOCK', path, advice })
  }
}

/** An advisory lock was asked for and `fs-ext` cannot be used. `code` is one of the `FS_EXT_…` codes. */
export class AdvisoryUnavailableError extends MountlockError {
  override readonly name = 'AdvisoryUnavailableError'
}

/** The configuration was asked to be strict and is not clean. `code` is `CONFIG_INVALID`. */
export class ConfigError extends MountlockError {
  override readonly name = 'ConfigError'
}

/** The file system said no. `code` says what that means for a lock; `cause` is the system error. */
export class LockFileSystemError extends MountlockError {
  override readonly name = 'LockFileSystemError'
  /** The operating system's name for it: `EPERM`, `ENOSPC`, … */
  readonly errno: string
  constructor(errno: string, what: string, options: MountlockErrorOptions) {
    super(what, options)
    this.errno = errno
  }
}

/** With a full stop, where no question or other mark ends it. */
const asSentence = (text: string) => (/[.?!]$/.test(text) ? text : `${text}.`)

function describeCause(cause: unknown): string {
  if (cause === undefined || cause === null) return ''
  const { code, syscall, message } = cause as { code?: unknown; syscall?: unknown; message?: unknown }
  if (typeof code === 'string' && typeof syscall === 'string') return ` (${syscall}: ${code})`
  return typeof message === 'string' && message !== '' ? ` (${oneLine(message)})` : ''
}

/** Node adds the stack of modules that required a missing one; what happened stands before it. */
function oneLine(message: string): string {
  return (message.split('\nRequire stack:')[0] as string).replace(/\s+/g, ' ').trim()
}

// Node shows an error by the name of its class.
for (const [name, type] of Object.entries({
  MountlockError,
  LockTimeoutError,
  LockLostError,
  AbortError,
  MountChangedError,
  UnsupportedPlatformError,
  InvalidArgumentError,
  LockerClosedError,
  ForeignLockError,
  AdvisoryUnavailableError,
  ConfigError,
  LockFileSystemError,
}))
  Object.defineProperty(type, 'name', { value: name })
