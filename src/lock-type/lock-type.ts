/**
 * What a lock type provides to the locker, and all that the locker knows of it. {@link Locks} are all locks of one type;
 * {@link Lockable} is one path among them, at which a try to take the lock ends with a {@link TryOutcome}: a {@link Hold},
 * or the news that the lock is busy. A lock type never waits for a holder: waiting, the handle and the log are the locker's.
 */

import type { Ground } from '../drivers/ground.js'
import type { Work } from '../drivers/work.js'
import type { LostReason } from '../errors.js'
import type { Inspection } from '../types.js'

/** All locks of one type. */
export interface Locks {
  /** @throws InvalidArgumentError, LockFileSystemError, MountChangedError */
  at(path: string): Work<Lockable>
  inspect(path: string): Promise<Inspection>
  /** Releases everything. */
  close(): Promise<void>
}

/** The lock of one path, ready to be tried. */
export interface Lockable {
  readonly path: string
  /** The same for all names of this lock in this process. */
  readonly key: string
  readonly waitStyle: WaitStyle
  /** The directory that it lies in, where other users could swap it; `null`: they could not. */
  readonly ground: Ground | null
  /** One try, which waits for no holder. @throws ForeignLockError, LockFileSystemError, … */
  tryTake(options: TryOptions): Work<TryOutcome>
  /** Tells other nodes that this process waits for it, or does no longer, where there is a way to. */
  announceWaiting(isWaiting: boolean): void
  /** Its caller tries no more. */
  leave?(): Work<void>
}

export interface TryOptions {
  shared: boolean
  /** Not the first look: what is seen must not come from a cache. */
  fresh: boolean
  /** Is the lock still wanted? */
  wanted(): boolean
}

/** `cancelled`: only when it was not wanted any more. */
export type TryOutcome = Taken | Busy | { kind: 'cancelled' }

export interface Taken {
  kind: 'acquired'
  hold: Hold
  /** Other processes were seen to wait for it. */
  isWaitedFor: boolean
  /** The dead holder before, in words, or `null`. */
  takenFrom: string | null
  /** What the log should tell of it, in words. */
  remark?: string | null
}

export interface Busy {
  kind: 'busy'
  /** In words; `null` if not known. */
  holder: string | null
  /** On another node, as far as can be told. */
  isFar: boolean
}

/** How a waiter can notice that the lock may be free. */
export interface WaitStyle {
  /** The lock's directory, in which a release can be seen by a file watch on the same host, or `null`. */
  watchPath: string | null
  /** Trying again costs next to nothing: no server is involved. */
  isLocal: boolean
}

/** A lock that was acquired, whatever its type. */
export interface Hold {
  /** The fencing token; `null` where the lock type has none. */
  readonly token: bigint | null
  /** How long it is certain to be ours, in milliseconds; 0 once it is lost or released. */
  remainingMs(): number
  /** Why it may have been lost, or `null`. Decides from the clocks at the moment of the call. */
  lostReason(): LostReason | null
  /** Called once, when the lock type notices the loss by itself. */
  onLost: ((reason: LostReason) => void) | null
  /** `null`: released; otherwise it had been lost. @throws if it cannot be told whether it was released */
  release(): Work<LostReason | null>
}
