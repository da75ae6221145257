/** What a link-based lock refuses or fails with, in words. */

import { fileSystemError } from '../advice/file-system-error.js'
import { remedyForHardLinks } from '../advice/file-systems.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import { ForeignLockError, LockFileSystemError, type MountlockError } from '../errors.js'
import type { FailedAttempt } from '../protocol/acquire.js'
import type { ForeignThing } from '../protocol/foreign.js'
import type { Claim } from '../protocol/site.js'

const FOREIGN: Record<ForeignThing, { what: string; advice: string }> = {
  file: {
    what: 'it is a regular file, perhaps the file of an advisory lock',
    advice: "Use lockType: 'advisory' for it, choose another path, or name one that does not exist yet.",
  },
  special: {
    what: 'it is neither a file nor a directory: a FIFO, a socket or a device',
    advice: 'Choose another path, or name one that does not exist yet.',
  },
  unmarked: {
    what: 'it is a directory and no lock of ours, perhaps the lock of another program',
    advice:
      'Name a lock in it or beside it (DIRECTORY/NAME.lock): a path that does not exist yet. If it is empty and no program uses it, remove it (rmdir).',
  },
  'without-marker': {
    what: 'it is a directory with generations as ours, but without our marker, which was probably deleted by a program that cleans temporary files',
    advice:
      'Remove the whole directory when no process holds the lock or waits for it, and tell that program to leave it alone (tmpfiles.d: x PATH).',
  },
  'other-kind': {
    what: 'it is a lock of another lock type: linkbased and renamebased must not be mixed on one path',
    advice: 'Use the lock type that it was made with, or remove the directory when no process holds the lock.',
  },
  empty: {
    what: 'it has our marker and no generation: its generations have probably been deleted',
    advice: 'Remove the whole directory when no process holds the lock or waits for it.',
  },
  symlink: {
    what: 'it is a symbolic link',
    advice: 'Name the lock directory itself, or a path that does not exist yet.',
  },
  exhausted: {
    what: 'its generations have no next one: they are probably not ours',
    advice: 'Remove the whole directory when no process holds the lock or waits for it.',
  },
  backwards: {
    what: 'its generations are lower than this process has seen them: it was probably replaced, or restored from a backup',
    advice: 'Restart the processes that use it, when none of them holds it.',
  },
}

/** The path is something that is not a lock of this kind. */
export function foreignError(path: string, thing: ForeignThing): ForeignLockError {
  const { what, advice } = FOREIGN[thing]
  return new ForeignLockError(path, what, advice)
}

/** The refusal where a file system is known to give a lock to two by this claim; `null` where it is not. */
export function unsafeClaim({ name }: Claim, path: string, facts: DirectoryFacts): LockFileSystemError | null {
  switch (name) {
    case 'hard link':
      return facts.breaksHardLinks ? hardLinksUnsafe(path, facts) : null
    case 'rename':
      return facts.renamesNames ? null : renameRefused(path, facts.identity)
    case 'symlink':
      return null
  }
}

function renameRefused(path: string, fileSystem: string): LockFileSystemError {
  return new LockFileSystemError('EOPNOTSUPP', `On this file system (${fileSystem}) two renames of one file may both succeed`, {
    code: 'RENAME_NOT_EXCLUSIVE',
    path,
    advice: 'lock-type=renamebased needs NFS, ext4, xfs, btrfs or tmpfs: use lock-type=linkbased here.',
  })
}

function hardLinksUnsafe(path: string, { identity, fileSystem }: DirectoryFacts): LockFileSystemError {
  const what = `On this mount (${identity}, without the option nolease) processes that wait for a lock by hard links break it for its holder`
  return new LockFileSystemError('EOPNOTSUPP', what, {
    code: 'HARD_LINKS_UNSAFE',
    path,
    advice: `${remedyForHardLinks(fileSystem)}; nothing was locked.`,
  })
}

const CLAIMING = { 'hard link': 'hard-link', symlink: 'symlink', rename: 'rename' } as const

/** What a message has to know of the lock that it is about. */
export interface Refused {
  readonly path: string
  readonly claim: Claim
  /** Its `id` in the table of file systems. */
  readonly fileSystem: string | null
}

/** An attempt that the file system refused. */
export function attemptFailed({ path, claim, fileSystem }: Refused, { action, code, error }: FailedAttempt): MountlockError {
  if (code === 'ECROWDED') return crowdedError(path)
  if (code === 'EVANISHING') return vanishingError(path)
  const doing = { claim: CLAIMING[claim.name], settle: 'rename', create: 'create', list: 'list', remove: 'remove' } as const
  return fileSystemError({ action: doing[action], path, errno: code, means: claim.name, fileSystem, cause: error })
}

function crowdedError(path: string): LockFileSystemError {
  return new LockFileSystemError('ENOSPC', 'The lock directory has too many entries, and none of them could be removed', {
    code: 'LOCK_DIRECTORY_CROWDED',
    path,
    advice: 'They are probably of other users: let their owners remove them, or give each user a lock of its own.',
  })
}

/** Each look found nothing, and each time it was made, or another process had just made it. */
function vanishingError(path: string): LockFileSystemError {
  return new LockFileSystemError(
    'ENOENT',
    'The lock directory was made several times, and was missing at each look that followed',
    {
      code: 'FILE_SYSTEM_ERROR',
      path,
      advice: 'Find out which program removes or replaces it, and see the system log of the file server; then try again.',
    },
  )
}

export function mountedError(path: string): LockFileSystemError {
  const what =
    'The lock directory is a mount of its own: it was mounted without the directory around it, in which its holders are found'
  return new LockFileSystemError('EXDEV', what, {
    code: 'CROSS_DEVICE',
    path,
    advice: 'Mount that directory instead, on every node and in every container that uses the lock; nothing was locked.',
  })
}

const SPENT = {
  lease: 'its lease was over',
  missing: 'its file was not found',
  links: 'it has too many links',
  doubtful: 'it is in doubt',
}

/** One session after the other was found spent, each as soon as it was made. The system has reported no error. */
export function sessionsSpent(path: string, sessions: number, why: keyof typeof SPENT): LockFileSystemError {
  const what = `${sessions} session files in a row could take no lock, the last one because ${SPENT[why]}`
  return new LockFileSystemError('EIO', what, {
    code: 'FILE_SYSTEM_ERROR',
    path,
    advice:
      'Find out which program removes files that begin with .mountlock-, and whether this node or the file server is overloaded; then try again.',
  })
}
