/** The locks that are put to the test: which there are, in which order, and one attempt at one of them. */

import { join } from 'node:path'
import type { ConfigSettings } from '../../config/settings.js'
import type { LockerOptions, LockType } from '../../types.js'
import { choiceOf, KINDS } from '../shared/kinds.js'
import { commonOptions } from '../shared/settings.js'
import { LOCK_DIRECTORY } from '../shared/state-directory.js'

const FAMILIES = { advisory: 'advisory', linkbased: 'link-based', renamebased: 'rename-based' } as const
const LOCK_TYPES = Object.keys(FAMILIES) as LockType[]

/** Without `--all`: what Workbench itself can be configured to use. */
const LOCK_TYPES_OF_WORKBENCH = ['advisory', 'linkbased'] as const

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
  const lock = (file: string, variant: string | null, choice: LockerOptions & { lockType: LockType }): TestedLock => ({
    family: FAMILIES[choice.lockType],
    lockType: choice.lockType,
    variant,
    path: join(LOCK_DIRECTORY, file),
    options: { ...common, ...choice },
  })
  if (!all) return LOCK_TYPES_OF_WORKBENCH.map((lockType) => lock(FAMILIES[lockType], null, { lockType }))
  return LOCK_TYPES.flatMap((lockType) => {
    const kinds = KINDS.filter((kind) => choiceOf(kind).lockType === lockType)
    // A family of one kind needs no word for it.
    return kinds.map((kind) => lock(kind.replace(' ', '-'), kinds.length === 1 ? null : kind, choiceOf(kind)))
  })
}

/** `advisory lock (flock)` */
export function nameOf({ family, variant }: TestedLock): string {
  return variant === null ? `${family} lock` : `${family} lock (${variant})`
}
