/** What errors mean where the entry of a lock directory is made, moved or removed. Pure. */

import { NOT_SUPPORTED, ON_NFS, type Row, row, SMB } from './meaning-row.js'

const REFUSING = [...NOT_SUPPORTED, 'EPERM', 'EINVAL']

export const LINKING: readonly Row[] = [
  row(
    ['HARD_LINKS_REFUSED', 'The file system refused a hard link'],
    REFUSING,
    'Mount it with mfsymlinks, and set use-symlinks=1.',
    { actions: ['hard-link'], fileSystems: SMB },
  ),
  row(['HARD_LINKS_REFUSED', 'The file system refused a hard link'], [...REFUSING, 'EXDEV'], ON_NFS, {
    actions: ['hard-link'],
    fileSystems: ['object-store'],
  }),
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
  row(['SYMLINKS_REFUSED', 'The file system refused a symbolic link'], REFUSING, ON_NFS, {
    actions: ['symlink'],
    fileSystems: ['object-store'],
  }),
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
    'Lock in a directory that lies on one branch (mergerfs) and under one quota.',
    { means: ['flock', 'fcntl'] },
  ),
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
  // The directory was there when it was looked at.
  row(
    ['FILE_SYSTEM_ERROR', 'The file system says that a name of the lock is not there'],
    ['ENOENT'],
    'Find out which program removes files beside the lock or in it, as a cleaner of temporary files does, and try again.',
    { actions: ['hard-link', 'symlink', 'rename', 'release', 'remove', 'write', 'advisory-lock'] },
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
