/** The kinds of lock that can be tried one by one, each with what makes a locker take that kind. */

import type { ConfigSettings } from '../../config/settings.js'
import type { ErrorCode } from '../../errors.js'
import type { Claim } from '../../protocol/site.js'
import type { LockerOptions, LockType } from '../../types.js'
import { UsageError } from './usage.js'
import { commonOptions } from './settings.js'

const TABLE = {
  'hard link': { lockType: 'linkbased', useSymlinks: false },
  symlink: { lockType: 'linkbased', useSymlinks: true },
  rename: { lockType: 'renamebased' },
  flock: { lockType: 'advisory', advisoryKind: 'flock' },
  fcntl: { lockType: 'advisory', advisoryKind: 'fcntl' },
  // What `lock-type=advisory` takes: both calls, on one file.
  advisory: { lockType: 'advisory', advisoryKind: 'both' },
} as const satisfies Record<Claim['name'] | 'flock' | 'fcntl' | 'advisory', LockerOptions & { lockType: LockType }>

export type Kind = keyof typeof TABLE

/** Those that are made of one call, in the order in which they are recommended. */
export const KINDS = (Object.keys(TABLE) as Kind[]).filter((kind) => kind !== 'advisory')

/** What makes a locker take this kind. */
export const choiceOf = (kind: Kind): LockerOptions & { lockType: LockType } => TABLE[kind]

/** On a command line without blanks. */
export const wordsOf = (kinds: readonly Kind[]): string[] => kinds.map((kind) => kind.replace(' ', '-'))

/** @throws UsageError */
export function readKind(option: string, word: string, kinds: readonly Kind[]): Kind {
  const words = wordsOf(kinds)
  const kind = kinds[words.indexOf(word)]
  if (kind === undefined) throw new UsageError(`Expected one of ${words.join(', ')} after ${option}, got "${word}"`)
  return kind
}

/** The kind that settings choose. */
export function kindOf({ lockType, useSymlinks }: Pick<ConfigSettings, 'lockType' | 'useSymlinks'>): Kind {
  if (lockType === 'advisory') return 'advisory'
  if (lockType === 'renamebased') return 'rename'
  return useSymlinks ? 'symlink' : 'hard link'
}

/** The options of a locker for a kind of lock; a trial is nothing for the log. */
export function optionsOf(kind: Kind, settings: ConfigSettings): LockerOptions {
  return { ...commonOptions(settings), enableLogging: false, label: 'locktester', ...choiceOf(kind) }
}

/** What to configure. */
export interface Recommendation {
  lockType: LockType
  useSymlinks: boolean
}

/**
 * The settings that choose a kind; `null` for one that no settings choose. `isFlockRefused`: then `lock-type=advisory` takes
 * fcntl alone.
 */
export function settingsFor(kind: Kind, isFlockRefused: boolean): Recommendation | null {
  if (kind === 'fcntl' && !isFlockRefused) return null
  return { lockType: choiceOf(kind).lockType, useSymlinks: kind === 'symlink' }
}

/** It was refused since it does not exclude: see `advisory/unsafe-flock.ts`. */
export const refusesFlock = (kind: Kind, error: { code: string } | null | undefined): boolean =>
  kind === 'flock' && error?.code === ('FLOCK_UNSAFE' satisfies ErrorCode)

/** The lines of a file-locks file. */
export function settingLines({ lockType, useSymlinks }: Recommendation): string[] {
  return [`lock-type=${lockType}`, ...(lockType === 'linkbased' ? [`use-symlinks=${Number(useSymlinks)}`] : [])]
}
