/** Which claims there are, and which lock type each makes. */

import type { LockType } from '../types.js'
import { hardLinkClaim } from './claim-hard-link.js'
import { renameClaim } from './claim-rename.js'
import { symlinkClaim } from './claim-symlink.js'
import type { LockKind } from './names.js'
import type { Claim } from './site.js'

/** Those that are a lock directory. */
export type ClaimedLockType = Exclude<LockType, 'advisory'>

/** Claims of one type exclude each other: they are one kind on disk. In the order in which they are tried. */
export const CLAIMS: Record<ClaimedLockType, readonly [Claim, ...Claim[]]> = {
  linkbased: [hardLinkClaim, symlinkClaim],
  renamebased: [renameClaim],
}

/** The one that settings choose. */
export function claimFor(lockType: ClaimedLockType, useSymlinks: boolean): Claim {
  if (lockType === 'renamebased') return renameClaim
  return useSymlinks ? symlinkClaim : hardLinkClaim
}

export const LOCK_TYPE_OF_KIND: Record<LockKind, ClaimedLockType> = { links: 'linkbased', renames: 'renamebased' }

/** `null`: not a lock directory. */
export const kindOfLockType = (lockType: LockType) => (lockType === 'advisory' ? null : CLAIMS[lockType][0].kind)
