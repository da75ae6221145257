/** The locks that are put to the test: which there are, in which order, and one attempt at one of them. */

import { join } from 'node:path'
import type { ConfigSettings } from '../../config/settings.js'
import type { LockerOptions, LockType } from '../../types.js'
import { commonOptions } from '../shared/settings.js'
import { LOCK_DIRECTORY } from '../shared/state-directory.js'

const FAMILIES = { advisory: 'advisory', linkbased: 'link-based', renamebased: 'rename-based' } as const

export interface TestedLock {
  /** As in the tool's lines. */
  family: (typeof FAMILIES)[LockType]
  lockType: LockType
  /** The variant in its own words (`flock`, `hard link`, …), or `null`: the one that the settings choose. */
  variant: string | null
  /** Its path relative to the directory under test: by this, testers on several nodes mean the same lock. */
  path: string
  options: LockerOptions
}

/** Advisory first, then link-based, as administrators know it. With `all` each variant has a lock of its own. */
export function testedLocks(settings: ConfigSettings, all: boolean): TestedLock[] {
  const common = { ...commonOptions(settings), label: 'locktester' }
  const lock = (lockType: LockType, file: string, variant: string | null = null, more: LockerOptions = {}): TestedLock => ({
    family: FAMILIES[lockType],
    lockType,
    variant,
    path: join(LOCK_DIRECTORY, file),
    options: { ...common, lockType, ...more },
  })
  if (!all) return [lock('advisory', 'advisory'), lock('linkbased', 'link-based')]
  return [
    lock('advisory', 'flock', 'flock', { advisoryKind: 'flock' }),
    lock('advisory', 'fcntl', 'fcntl', { advisoryKind: 'fcntl' }),
    lock('linkbased', 'hard-link', 'hard link', { useSymlinks: false }),
    lock('linkbased', 'symlink', 'symlink', { useSymlinks: true }),
    lock('renamebased', 'rename'),
  ]
}

/** `advisory lock (flock)` */
export function nameOf({ family, variant }: TestedLock): string {
  return variant === null ? `${family} lock` : `${family} lock (${variant})`
}
