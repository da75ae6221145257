/** What a row of the table of meanings is made of. Pure. */

import type { ErrorCode } from '../errors.js'

/** What was being done when the file system said no. `release`: a lock is given back; `follow`: a link on a path was followed. */
export type FileSystemAction =
  | 'hard-link'
  | 'symlink'
  | 'rename'
  | 'release'
  | 'create'
  | 'list'
  | 'read'
  | 'write'
  | 'open'
  | 'remove'
  | 'advisory-lock'
  | 'stat'
  | 'follow'

/** The kinds of lock, by what each is made of. */
export type LockMeans = 'hard link' | 'symlink' | 'rename' | 'flock' | 'fcntl'

export interface Circumstances {
  readonly action: FileSystemAction
  /** The operating system's name for it. */
  readonly errno: string
  /** `null`: it is done for any kind of lock, or for none. */
  readonly means?: LockMeans | null | undefined
  /** Its `id` in the table of file systems; `null`: not known. */
  readonly fileSystem?: string | null | undefined
}

export interface Meaning {
  /** Stable, for programs; docs/troubleshooting.md has a section for each. */
  readonly code: ErrorCode
  readonly what: string
  readonly advice: string
}

export interface Where {
  readonly actions?: readonly FileSystemAction[]
  readonly means?: readonly LockMeans[]
  readonly fileSystems?: readonly string[]
}

export interface Row extends Meaning, Where {
  readonly errors: readonly string[]
}

/** `where`: what it is said of; of everything, if absent. */
export const row = (
  meaning: readonly [code: ErrorCode, what: string],
  errors: readonly string[],
  advice: string,
  where: Where = {},
): Row => ({
  code: meaning[0],
  what: meaning[1],
  errors,
  advice,
  ...where,
})

export const SMB = ['smb', 'azure-files-smb'] as const
export const NFS = ['nfs3', 'nfs4', 'efs', 'fsx', 'azure-files-nfs'] as const
/** As Linux and Node call it, by whichever layer says it. */
export const NOT_SUPPORTED = ['EOPNOTSUPP', 'ENOTSUP', 'ENOTSUPP', 'ENOSYS', 'ENOTTY'] as const
const SMB_LINKS = 'use lock-type=linkbased with use-symlinks=1, on a mount with mfsymlinks'

/** Where no kind of lock would help. */
export const ON_NFS = 'No lock on an object store excludes other nodes: put it on NFS.'

/** What may help where an advisory lock does not: in a row as it is for most file systems. */
export const LINKS_INSTEAD = 'use lock-type=linkbased'

const LINKS_INSTEAD_ON: Readonly<Record<string, string>> = {
  ...{ smb: SMB_LINKS, 'azure-files-smb': SMB_LINKS },
  'object-store': 'put the lock on NFS',
}

/** An advice as it helps on that file system. */
export const adviceOn = (fileSystem: string | null | undefined, advice: string): string =>
  advice.replaceAll(LINKS_INSTEAD, LINKS_INSTEAD_ON[fileSystem ?? ''] ?? LINKS_INSTEAD)
