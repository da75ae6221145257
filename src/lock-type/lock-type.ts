/** What a lock type must provide to the locker: attempts, and holds. The waiting, the handle and the log are the locker's. */

import type { Work } from '../drivers/work.js'
import type { LostReason } from '../errors.js'
import type { Inspection } from '../types.js'

/** A lock that was acquired, whatever its type. */
export interface Hold {
  readonly token: bigint | null
  /** How long it is certain to be ours; 0 once it is lost or released. */
  remainingMs(): number
  /** Why it may have been lost, or `null`. Decides from the clocks at the moment of the call. */
  lostReason(): LostReason | null
  /** Called once, when the loss is noticed without anybody asking. */
  onLost: ((reason: LostReason) => void) | null
  /** `null`: released; otherwise it had been lost. @throws if it cannot be told whether it was released */
  release(): Work<LostReason | null>
}

export type Attempt =
  /** `isWaitedFor`: somebody was seen to wait for it. */
  | { kind: 'acquired'; hold: Hold; isWaitedFor: boolean; takenFrom: string | null }
  /** `holder`: in words, `null` if not known. `isFar`: on another node, as far as can be told. */
  | { kind: 'busy'; holder: string | null; isFar: boolean }
  | { kind: 'cancelled' }

export interface AttemptOptions {
  shared: boolean
  /** Not the first look: what is seen must not come from a cache. */
  fresh: boolean
  /** Is the lock still wanted? */
  wanted(): boolean
}

/** A lock path, resolved and ready for attempts. */
export interface Target {
  readonly path: string
  /** The same for all names of this lock in this process. */
  readonly key: string
  /** How those who wait learn that it may be free: see {@link WaitStyle}. */
  readonly waitStyle: WaitStyle
  attempt(options: AttemptOptions): Work<Attempt>
  /** Tells other nodes that this process waits for it, or does no longer, where there is a way to. */
  announceWaiting(isWaiting: boolean): void
}

export interface WaitStyle {
  /** The lock's directory, in which a release can be seen by a file watch on the same host, or `null`. */
  watchPath: string | null
  /** Asking again costs next to nothing: no server is involved. */
  isLocal: boolean
}

/** A lock type. */
export interface Backend {
  target(path: string): Work<Target>
  inspect(path: string): Promise<Inspection>
  /** Releases everything. */
  close(): Promise<void>
}
