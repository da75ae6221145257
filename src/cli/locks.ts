/** The locks that are put to the test: which there are, in which order, and one attempt at one of them. */

import { join } from 'node:path'
import type { ConfigSettings } from '../config/settings.js'
import type { LockerOptions } from '../types.js'
import { commonOptions } from './settings.js'
import { LOCK_DIRECTORY } from './state-directory.js'

export interface TestedLock {
  /** As in the tool's lines. */
  family: 'advisory' | 'link-based' | 'rename-based'
  /** The variant in its own words (`flock`, `hard link`, …), or `null`: the one that the settings choose. */
  variant: string | null
  /** Its path relative to the directory under test: by this, testers on several nodes mean the same lock. */
  path: string
  options: LockerOptions
}

/** Advisory first, then link-based, as administrators know it. With `all` each variant has a lock of its own. */
export function testedLocks(settings: ConfigSettings, all: boolean): TestedLock[] {
  const common = { ...commonOptions(settings), label: 'locktester' }
  const advisory = (file: string, variant: string | null, more: LockerOptions): TestedLock => ({
    family: 'advisory',
    variant,
    path: join(LOCK_DIRECTORY, file),
    options: { ...common, lockType: 'advisory', ...more },
  })
  const linkBased = (file: string, variant: string | null, more: LockerOptions): TestedLock => ({
    family: 'link-based',
    variant,
    path: join(LOCK_DIRECTORY, file),
    options: { ...common, lockType: 'linkbased', ...more },
  })
  if (!all) return [advisory('advisory', null, {}), linkBased('link-based', null, {})]
  return [
    advisory('flock', 'flock', { advisoryKind: 'flock' }),
    advisory('fcntl', 'fcntl', { advisoryKind: 'fcntl' }),
    linkBased('hard-link', 'hard link', { useSymlinks: false }),
    linkBased('symlink', 'symlink', { useSymlinks: true }),
    {
      family: 'rename-based',
      variant: null,
      path: join(LOCK_DIRECTORY, 'rename'),
      options: { ...common, lockType: 'renamebased' },
    },
  ]
}

/** `advisory lock (flock)` */
export function nameOf({ family, variant }: TestedLock): string {
  return variant === null ? `${family} lock` : `${family} lock (${variant})`
}
