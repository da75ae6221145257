/**
 * What an error of the file system means for a lock, and what to do about it: one table, chosen by what was being done, by which
 * kind of lock it was done for, on which file system, and by the error. So no two places disagree about what `EPERM` says, and
 * no message advises the lock type in use. Pure.
 *
 * A meaning says what was answered. What may be behind it stands in the advice, after "probably" where it is not certain.
 */

import type { ErrorCode } from '../errors.js'

/** What was being done when the file system said no. `release`: a lock is given back. */
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

interface Where {
  readonly actions?: readonly FileSystemAction[]
  readonly means?: readonly LockMeans[]
  readonly fileSystems?: readonly string[]
}

interface Row extends Meaning, Where {
  readonly errors: readonly string[]
}

/** `where`: what it is said of; of everything, if absent. */
const row = (
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

const ADVISORY = ['advisory-lock'] as const
const SMB = ['smb', 'azure-files-smb'] as const
const NOT_SUPPORTED = ['EOPNOTSUPP', 'ENOTSUP', 'ENOTSUPP', 'ENOSYS', 'ENOTTY']
const REFUSING = [...NOT_SUPPORTED, 'EPERM', 'EINVAL']
const FORCED_MODES = ['bindfs', 'vm-folder', '9p', 'virtiofs', 'sshfs', ...SMB]

const LINKS_INSTEAD = 'use lock-type=linkbased'
const NO_ROOM = 'There is no room for what is to be written'

const LOCKING: readonly Row[] = [
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `On NFSv3 start rpc.statd here and check the server (or mount with vers=4.1); otherwise ${LINKS_INSTEAD}.`,
    { actions: ADVISORY, fileSystems: ['nfs3'] },
  ),
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `See the system log of the server, which probably has as many locks as it can keep; otherwise ${LINKS_INSTEAD}.`,
    { actions: ADVISORY, fileSystems: ['nfs4'] },
  ),
  // Only the vendor sees a log of these servers.
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `The service probably gives this node no more of them: hold fewer, or ${LINKS_INSTEAD}.`,
    { actions: ADVISORY, fileSystems: ['efs', 'fsx', 'azure-files-nfs'] },
  ),
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `See the system log of this node and of the file server; otherwise ${LINKS_INSTEAD}.`,
    { actions: ADVISORY },
  ),
  row(
    ['QUOTA_EXCEEDED', 'The file server gives this node no more, by a quota'],
    ['EDQUOT'],
    `Amazon EFS answers so when a mount has 8,192 locks, or locks on 256 pairs of file and process, or 32,768 open files: hold fewer, or ${LINKS_INSTEAD}. Elsewhere raise the quota.`,
    { actions: ADVISORY, fileSystems: ['efs', 'nfs4'] },
  ),
  row(
    ['NOT_SUPPORTED', 'The file system does not support this kind of lock'],
    NOT_SUPPORTED,
    `Mount it with the option flock on every node (with localflock locks would stay on their node), or ${LINKS_INSTEAD}.`,
    { actions: ADVISORY, fileSystems: ['lustre'] },
  ),
  row(
    ['NOT_SUPPORTED', 'The file system does not support this kind of lock'],
    NOT_SUPPORTED,
    `Instead ${LINKS_INSTEAD}; locktester doctor shows which kinds work here.`,
    { actions: ADVISORY },
  ),
  row(
    ['ACCESS_DENIED', 'Permission denied'],
    ['EACCES'],
    'The user needs permission to read and write the file, or to create it in its directory; the server decides, and the options uid=, gid=, file_mode= and dir_mode= of the mount.',
    { actions: ADVISORY, fileSystems: SMB },
  ),
  // What an advisory lock needs is less: flock reads, as flock(1) does.
  row(
    ['ACCESS_DENIED', 'Permission denied'],
    ['EACCES'],
    'The user needs permission to read the file (for fcntl, and for exclusive locks on NFSv4, to write it), or to create it in its directory.',
    { actions: ADVISORY },
  ),
  row(
    ['BEING_EXECUTED', 'The file is a program that is being executed, so it cannot be opened for writing'],
    ['ETXTBSY'],
    'This file system wants it opened for writing even for flock (NFSv4 does): lock another file.',
    { means: ['flock'] },
  ),
  row(
    ['BEING_EXECUTED', 'The file is a program that is being executed, so it cannot be opened for writing'],
    ['ETXTBSY'],
    'Use flock, which only reads it where the file system lets it (fcntl, NFSv4 and SMB do not), or lock another file.',
  ),
]

const LINKING: readonly Row[] = [
  row(
    ['HARD_LINKS_REFUSED', 'The file system refused a hard link'],
    REFUSING,
    'Mount it with mfsymlinks, and set use-symlinks=1.',
    { actions: ['hard-link'], fileSystems: SMB },
  ),
  row(['HARD_LINKS_REFUSED', 'The file system refused a hard link'], REFUSING, 'It probably takes none: set use-symlinks=1.', {
    actions: ['hard-link'],
  }),
  row(
    ['HARD_LINKS_REFUSED', 'The file system refused a hard link'],
    ['EACCES'],
    'Mount it with mfsymlinks, and set use-symlinks=1.',
    { actions: ['hard-link'], fileSystems: ['azure-files-smb'] },
  ),
  // It has no hard links either.
  row(['SYMLINKS_REFUSED', 'The file system refused a symbolic link'], REFUSING, 'Mount it with mfsymlinks.', {
    actions: ['symlink'],
    fileSystems: ['azure-files-smb'],
  }),
  row(
    ['SYMLINKS_REFUSED', 'The file system refused a symbolic link'],
    REFUSING,
    'Mount it with mfsymlinks, or with nolease and use-symlinks=0.',
    { actions: ['symlink'], fileSystems: SMB },
  ),
  row(
    ['SYMLINKS_REFUSED', 'The file system refused a symbolic link'],
    REFUSING,
    'Set use-symlinks=0 if it takes hard links (locktester doctor shows that), or use lock-type=advisory.',
    { actions: ['symlink'] },
  ),
  row(
    ['NOT_SUPPORTED', 'The file system does not support this renaming'],
    NOT_SUPPORTED,
    'No lock directory can be kept here: use lock-type=advisory, or another file system.',
    { actions: ['rename', 'release'] },
  ),
  row(['CROSS_DEVICE', 'The file system refused a link between two directories'], ['EXDEV'], 'Set use-symlinks=1.', {
    actions: ['hard-link'],
  }),
  row(
    ['CROSS_DEVICE', 'The file system answers that two names of this lock are not on one file system'],
    ['EXDEV'],
    'Lock in a directory that lies on one branch (mergerfs) and under one quota, or use lock-type=advisory.',
    { actions: ['symlink', 'rename', 'release', 'create', 'remove'] },
  ),
  row(
    ['TOO_MANY_LINKS', 'The directory has as many directories in it as the file system allows'],
    ['EMLINK'],
    'Spread the locks over several directories.',
    { actions: ['create'] },
  ),
  row(
    ['TOO_MANY_LINKS', 'The file has as many hard links as the file system allows'],
    ['EMLINK'],
    'Amazon EFS allows 177. Release some locks, spread them over several directories, or set use-symlinks=1.',
    { actions: ['hard-link'], fileSystems: ['efs'] },
  ),
  row(
    ['TOO_MANY_LINKS', 'The file has as many hard links as the file system allows'],
    ['EMLINK'],
    'Release some locks, or spread them over several directories.',
  ),
  // As many as a file has room for were tried in session files of their own, before this is told.
  row(
    ['NO_SPACE', 'There is no room for a hard link'],
    ['ENOSPC'],
    'Free some space or inodes on the bricks (df -h, df -i there). A brick on ext4 has room for some 45 names of a file: spread the locks over several directories.',
    { actions: ['hard-link'], fileSystems: ['glusterfs'] },
  ),
  // Where the rows above say nothing of it: no lock service is asked for a link.
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give, and says so to an operation that asks for none'],
    ['ENOLCK'],
    'See the system log of this node and of the file server, which is probably out of memory or has lost its lock service.',
  ),
]

const ANY: readonly Row[] = [
  row(
    ['NOT_SUPPORTED', 'The file system does not support this operation'],
    NOT_SUPPORTED,
    'Put the lock on another file system; locktester doctor shows what works here.',
  ),
  row(
    ['READ_ONLY', 'The file system is read-only'],
    ['EROFS'],
    'This is a snapshot: name the directory itself, outside of .snapshot.',
    { fileSystems: ['snapshot'] },
  ),
  row(['READ_ONLY', 'The file system is read-only'], ['EROFS'], 'Mount it read-write, or put the lock somewhere else.'),
  // Half of what was to be written looks the same, be it for the file system or for a limit of the process.
  row(
    ['NO_SPACE', NO_ROOM],
    ['ENOSPC', 'EFBIG'],
    'Free some space or inodes (df -h, df -i), or raise the limit for the size of files (ulimit -f).',
    { actions: ['release', 'rename'] },
  ),
  row(
    ['NO_SPACE', NO_ROOM],
    ['ENOSPC', 'EFBIG'],
    'Free some space or inodes (df -h, df -i), or raise the limit for the size of files (ulimit -f); nothing was locked.',
  ),
  row(
    ['QUOTA_EXCEEDED', 'A disk quota is exceeded'],
    ['EDQUOT'],
    'Free some space, or raise the quota: of the user, the group, the directory tree or the volume. It may count files, and df may show free space all the same.',
  ),
  row(
    ['ACCESS_DENIED', 'Permission denied'],
    ['EACCES'],
    'The user needs read, write and search permission on the lock and its directory; the server decides, and the options uid=, gid=, file_mode= and dir_mode= of the mount.',
    { fileSystems: SMB },
  ),
  row(
    ['ACCESS_DENIED', 'Permission denied'],
    ['EACCES'],
    'The user needs read, write and search permission on the lock and its directory (on NFS, root may be mapped to nobody: root_squash). Where an ACL gives it, give the directory a default ACL as well (setfacl -d -m u:USER:rwx DIRECTORY), and have the lock made anew (locktester prune).',
  ),
  row(
    ['NOT_PERMITTED', 'The operation is not permitted'],
    ['EPERM'],
    'Check which owner and modes this mount gives to files, whatever they are below (its options, or its program).',
    { fileSystems: FORCED_MODES },
  ),
  row(
    ['NOT_PERMITTED', 'The operation is not permitted'],
    ['EPERM'],
    'Check the owner, the sticky bit and the attributes (lsattr) of its directory.',
  ),
  row(
    ['STALE_HANDLE', 'The file system says that this handle is stale'],
    ['ESTALE', 'EBADHANDLE'],
    'Look on the file server whether the directory was removed or exported anew, then mount the share again.',
  ),
  row(
    ['IO_ERROR', 'The file system reports an I/O error'],
    ['EIO', 'EREMOTEIO'],
    'See the system log of this node and of the file server.',
  ),
  // No error of the system, but of `drivers/footing.ts`.
  row(
    ['DIRECTORY_REPLACED', 'Another directory is in the place of the one that was worked in before'],
    ['EREPLACED'],
    'Find out which user or program moves or replaces it: other users can replace it here.',
  ),
  row(['SERVER_TIMEOUT', 'The file server did not answer in time'], ['ETIMEDOUT'], 'Check the server and the network.'),
  row(
    ['SERVER_UNREACHABLE', 'The file server, or the program behind this mount, is not connected'],
    ['ENOTCONN', 'ESHUTDOWN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'ECONNREFUSED', 'ECONNRESET', 'ENONET'],
    'Check the server and the network; of a FUSE file system, whether its program still runs. Then mount it again.',
  ),
  row(
    ['CREDENTIALS_EXPIRED', 'The file system has no valid credentials for this user'],
    ['ENOKEY', 'EKEYEXPIRED', 'EKEYREVOKED', 'EKEYREJECTED'],
    'Renew them on this node (kinit, or the key of the mount).',
  ),
  row(
    ['FILE_SYSTEM_DAMAGED', 'The file system says that it is damaged'],
    ['EUCLEAN'],
    'Have it checked (fsck, xfs_repair) before anything is locked on it.',
  ),
  row(['NAME_TOO_LONG', 'The name of the lock is too long'], ['ENAMETOOLONG'], 'Use a shorter name (255 bytes at most).'),
  row(
    ['PARENT_MISSING', 'The directory of the lock was not found'],
    ['ENOENT'],
    'Create it first, or mount the share: mountlock never creates it, because the lock could end up on the wrong disk.',
  ),
  row(['PARENT_NOT_DIRECTORY', 'A part of the path is not a directory'], ['ENOTDIR'], 'Correct the path of the lock.'),
  row(
    ['SYMLINK_REFUSED', 'There is a symbolic link where a file or directory is needed'],
    ['ELOOP'],
    'Remove the link, or correct the path of the lock.',
  ),
  row(['TOO_MANY_FILES', 'This process has too many open files'], ['EMFILE'], 'Raise its limit (ulimit -n), or close some.'),
  row(
    ['TOO_MANY_FILES', 'This machine has too many open files'],
    ['ENFILE'],
    'Raise fs.file-max, or find out which program leaks descriptors.',
  ),
]

/** In this order; the first row that fits is the one. */
export const ROWS: readonly Row[] = [...LOCKING, ...LINKING, ...ANY]

/** @returns a meaning for every error: what the table does not know is named as it was answered */
export function meaningOf({ action, errno, means, fileSystem }: Circumstances): Meaning {
  const fits = (row: Row) =>
    row.errors.includes(errno) &&
    (row.actions?.includes(action) ?? true) &&
    (row.means === undefined || (means != null && row.means.includes(means))) &&
    (row.fileSystems === undefined || (fileSystem != null && row.fileSystems.includes(fileSystem)))
  return (
    ROWS.find(fits) ?? {
      code: 'FILE_SYSTEM_ERROR',
      what: `The file system answered ${errno}`,
      advice: 'See the manual page of the operation, and the system log of this node and of the file server.',
    }
  )
}
