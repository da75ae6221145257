/** What is in the place of a lock, and is none of this kind. */

import type { LockListing } from './names.js'
import type { FileStatus } from './operations.js'

/** `without-marker`: its names are those of generations. */
type WithoutLock = 'unmarked' | 'without-marker' | 'other-kind'
export type ForeignThing = WithoutLock | 'file' | 'symlink' | 'special' | 'empty' | 'backwards' | 'exhausted'

/** Numbers that were given by a server's clock, in microseconds: those of other programs (mails, for one) are smaller. */
const NUMBER_OF_OURS_MIN = 10n ** 15n

/** A directory without the marker of the wanted kind. */
export function whatIsWithoutLock({ kind, highest }: Pick<LockListing, 'kind' | 'highest'>): WithoutLock {
  if (kind !== null) return 'other-kind'
  return highest !== null && highest >= NUMBER_OF_OURS_MIN ? 'without-marker' : 'unmarked'
}

/** In the place of a lock directory. */
export const whatIsNoDirectory = ({ type }: FileStatus) => (type === 'symlink' || type === 'file' ? type : 'special')
