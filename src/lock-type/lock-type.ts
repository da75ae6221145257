/**
 * What a lock type provides to the locker, and all that the locker knows of it. {@link Locks} are all locks of one type;
 * {@link Lockable} is one path among them, at which a try to take the lock ends with a {@link TryOutcome}: a {@link Hold},
 * or the news that the lock is busy. A lock type never waits for a holder: waiting, the handle and the log are the locker's.
 */

import type { Ground } from '../drivers/ground.js'
import type { Work } from '../drivers/work.js'
import type { LostReason } from '../errors.js'
import type { Holder, Inspection } from '../types.js'

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
  /** Its waiters are known by tickets. */
  readonly hasTickets: boolean
  /** The line of its waiters, for one acquisition; `null` where they have no tickets. */
  line(): Line | null
  /** Its caller tries no more. */
  leave?(): Work<void>
}

/**
 * The line of waiters in front of a lock, as one acquisition sees it. A courtesy: nothing of it takes the lock or keeps it from
 * another process, and what the file system refuses is done without.
 */
export interface Line {
  /** The lock's directory, in which a watch shows what the processes of this host do. */
  readonly path: string
  /**
   * A look at the lock; `null`: it showed nothing. It costs one request while nothing changes, and may show what was, where the
   * lock changed twice within a tick of the server's clock. `isCertain`: it does not, for some requests more.
   */
  glance(isCertain: boolean): Promise<Glance | null>
  /**
   * Takes a place in the line, behind those that came before this generation, and tells where that is; `null`: none was seen,
   * and without one there is no place. `isLate`: also looks whether those right before it still live.
   */
  stand(generation: bigint | null, isLate: boolean): Promise<Place>
  /**
   * How many other processes wait; 0 where none of them was found alive. What the dead have left of their waiting goes on the
   * way.
   */
  others(): Promise<number>
  /** Gives the place up, in the background. @returns when it is given up */
  leave(): Promise<unknown>
}

/** A place in a line. */
export interface Place {
  /** The waiters that came before, as far as they may live, the oldest first. */
  ahead: readonly Ahead[]
  /** The server's time stamps are whole seconds: two changes within one look like one. */
  isCoarse: boolean
}

/** A waiter that came before. */
export interface Ahead {
  /** The path of its ticket. */
  ticket: string
  /** The generation that was in its way. */
  generation: bigint
  sessionFile: string
}

export interface Glance {
  /** The highest generation. */
  generation: bigint
  isFree: boolean
  /** The session that holds it, where the name of its entry tells. */
  sessionFile: string | null
}

export interface TryOptions {
  shared: boolean
  /** Not the first look: what is seen must not come from a cache. */
  fresh: boolean
  /** The generation that was free at the last look, if any: a hint, which saves a listing. */
  seenFree?: bigint | null | undefined
  /** Is the lock still wanted? */
  wanted(): boolean
}

/** `cancelled`: only when it was not wanted any more. */
export type TryOutcome = Taken | Busy | { kind: 'cancelled' }

export interface Taken {
  kind: 'acquired'
  hold: Hold
  /** Waiters had tickets; `null`: that was not told. */
  isWaitedFor: boolean | null
  /** The dead holder before, in words, or `null`. */
  takenFrom: string | null
  /** What the log should tell of it, in words. */
  remark?: string | null
}

export interface Busy {
  kind: 'busy'
  /** In words; `null` if not known. */
  holder: string | null
  /** The same for programs, where a record tells. */
  owner: Holder | null
  /** The generation that was in the way, where there are any. */
  generation: bigint | null
}

/** How a waiter can notice that the lock may be free. */
export interface WaitStyle {
  /** Trying again costs next to nothing: no server is involved. */
  isLocal: boolean
  /** How often a holder shows that it lives, in milliseconds, by this locker's own settings; absent where none of them does. */
  refreshRateMs?: number
}

/** A lock that was acquired, whatever its type. */
export interface Hold {
  /** The fencing token; `null` where the lock type has none. */
  readonly token: bigint | null
  /** How long it is certain to be ours, in milliseconds; 0 once it is lost or released. */
  remainingMs(): number
  /** Why it may have been lost, or `null`. Decides from the clocks at the moment of the call. */
  lostReason(): LostReason | null
  /** The file that is itself locked, where the kernel holds the lock. `readDropsIt`: closing it lets go of the lock (POSIX). */
  readonly ownFile?: { dev: number; ino: number }
  /** Called once, when the lock type notices the loss by itself. */
  onLost: ((reason: LostReason) => void) | null
  /** `null`: released; otherwise it had been lost. @throws if it cannot be told whether it was released */
  release(): Work<LostReason | null>
}
