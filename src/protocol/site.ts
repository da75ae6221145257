/** What the protocol knows while it works on one lock: where it is, and what this process remembers about it. */

import type { LockKind } from './names.js'
import type { Protocol, Reply } from './operations.js'
import type { SessionOwner, SessionRecord } from './record.js'
import type { Session } from './session.js'

/** An operation on the lock directory whose outcome is unknown: it may have happened, or may still happen. */
export interface Unsettled {
  generation: bigint
  /** Whose entry it is. */
  sessionId: string
}

/** What a process remembers of one lock. */
export interface LockMemory {
  /** The highest generation that was ever seen. Nothing at or below it is ever tried. */
  floor: bigint
  /** It was seen to be a directory, and not a symlink to one. */
  isDirectory: boolean
  /** It had our marker when it was last listed: nothing is ever made in a directory that may be another program's. */
  isMarked: boolean
  /** The generation of our own last release: most likely still the highest, which saves a listing. */
  known: bigint | null
  /** While this is there, the lock is not acquired again. */
  unsettled: Unsettled | null
}

export const newMemory = (): LockMemory => ({ floor: -1n, isDirectory: false, isMarked: false, known: null, unsettled: null })

/** What was seen of another process's heartbeat, and since when on our own clock it stands there. */
export interface Observation {
  beat: number
  /** Not as a time: a write that was executed late may bring back an old counter, but not an old time stamp. */
  modifiedMs: number
  sinceMs: number
}

/** What a process remembers about the records that it has seen, by the file that each is in (`judge.ts`). */
export type Observations = Map<string, Observation>

export interface Surroundings {
  /** Listings, names and attributes are never stale: a local file system. */
  readonly coherent: boolean
  /** A listing shows what is there at one moment: no name changes while it is made. A file server may list name by name. */
  readonly listsAtOnce: boolean
  /** How long, on top, this mount may show an old record even to `open` (the `nocto` mount option). */
  readonly extraSilenceMs: number
  readonly me: SessionOwner
  readonly observations: Observations
}

/** Where one lock is. */
export interface Site {
  /** The lock directory. */
  readonly path: string
  /** The directory that it lies in. */
  readonly directory: string
  /** The device that the directory is on. */
  readonly dev: number
  /** The directory's permission bits: a user that may create files there may lock. */
  readonly mode: number
  readonly claim: Claim
  readonly memory: LockMemory
  readonly surroundings: Surroundings
}

/** A generation over which the lock can be claimed. */
export interface Free {
  generation: bigint
  /** The name of its entry. */
  entry: string
  /** The names of lower generations, where it was found in a listing. */
  below: readonly string[]
  /** It is our own last release. */
  own: boolean
  /** The dead holder from which it is taken. */
  takenFrom: SessionRecord | null
}

/** How a generation is claimed; one small module each. */
export interface Claim {
  readonly name: 'hard link' | 'symlink' | 'rename'
  readonly kind: LockKind
  /** A lock that is held is one more link to the session file, so that the link count tells whether any is missing. */
  readonly countsLinks: boolean
  /** Moves the entry of the free generation, where others make a new name: without that entry it cannot happen any more. */
  readonly movesEntry: boolean
  /** The name of the entry of a generation that a session holds. */
  entry(generation: bigint, session: Session): string
  /** Puts the entry of the next generation there. */
  place(site: Site, session: Session, from: Free): Protocol<Reply<void>>
  /** A name could be used twice: the claim counts only if a listing made afterwards shows it as the highest. */
  readonly isConfirmedByListing: boolean
  /** Last look before the claim counts, where placing it does not prove that the session file is there. */
  verify?(session: Session, from: Free): Protocol<boolean>
}
