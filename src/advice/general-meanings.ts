/** What errors mean whatever was done, after the rows that know more of it. Pure. */

import { NFS, NOT_SUPPORTED, type Row, row, SMB, type Where } from './meaning-row.js'

const FORCED_MODES = ['bindfs', 'vm-folder', '9p', 'virtiofs', 'sshfs', ...SMB]

/** What the user lacks, and what can be done for it, by what was refused. The server of SMB decides otherwise than modes show. */
const denied = (needs: string, more: string, where: Where = {}): readonly Row[] => {
  const answer = (advice: string, fileSystems?: readonly string[]) =>
    row(['ACCESS_DENIED', 'Permission denied'], ['EACCES'], advice, fileSystems === undefined ? where : { ...where, fileSystems })
  return [
    answer(`${needs}; the server decides, and the options uid=, gid=, file_mode= and dir_mode= of the mount.`, SMB),
    answer(`${needs} (root may be mapped to nobody there: root_squash). ${more}`, NFS),
    answer(`${needs}. ${more}`),
  ]
}

const OWN_PLACE = 'Its owner can give it (chmod, chgrp); otherwise name a directory in which this user may lock.'

const DENIED: readonly Row[] = [
  ...denied(
    'The user needs search permission on it and on each directory above it (namei -l shows where it is missing)',
    OWN_PLACE,
    { actions: ['stat'] },
  ),
  ...denied('Something was to be made there, for which the user needs write and search permission on the directory', OWN_PLACE, {
    actions: ['create'],
  }),
  // It has the permissions of the directory around it, from when it was made.
  ...denied(
    'The user needs read, write and search permission on the lock',
    'It was made with those of its directory: give them there first (where an ACL does, as a default ACL as well: setfacl -d -m u:USER:rwx DIRECTORY). Then the user that made the lock can remove it while it is free (locktester prune).',
    { means: ['hard link', 'symlink', 'rename'] },
  ),
  ...denied(
    'The user needs permission to read it, and search permission on each directory above it',
    'Its owner can give it (chmod, chgrp).',
    { actions: ['list', 'read'] },
  ),
  ...denied(
    'The user needs permission to read and write it, and search permission on each directory above it',
    'Its owner can give it (chmod, chgrp).',
  ),
]

const NO_ROOM = 'There is no room for what is to be written'

export const ANY: readonly Row[] = [
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
  ...DENIED,
  row(
    ['NOT_PERMITTED', 'The operation is not permitted'],
    ['EPERM'],
    'Check which owner and modes this mount gives to files, whatever they are below (its options, or its program).',
    { fileSystems: FORCED_MODES },
  ),
  row(
    ['NOT_PERMITTED', 'The operation is not permitted'],
    ['EPERM'],
    'Check its owner, sticky bit and attributes (lsattr), and those of its directory.',
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
    [
      'ENOTCONN',
      'ESHUTDOWN',
      'EHOSTDOWN',
      'EHOSTUNREACH',
      'ENETUNREACH',
      'ENETDOWN',
      'ECONNREFUSED',
      'ECONNRESET',
      'ECONNABORTED',
      'ENONET',
    ],
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
  row(
    ['NAME_TOO_LONG', 'The name, or its path, is too long'],
    ['ENAMETOOLONG'],
    'Use a shorter one: most file systems take names of 255 bytes, and Linux paths of 4,095.',
  ),
  row(
    ['PARENT_MISSING', 'The directory of the lock was not found'],
    ['ENOENT'],
    'Mount the share that the path should lead to, or correct the path or the link.',
    { actions: ['follow'] },
  ),
  row(
    ['PARENT_MISSING', 'The directory of the lock was not found'],
    ['ENOENT'],
    'Create it first, or mount the share: mountlock never creates it, because the lock could end up on the wrong disk.',
  ),
  // A look just before has told what is there, where it could.
  row(
    ['PARENT_NOT_DIRECTORY', 'The file system says that this, or a part of its path, is not a directory'],
    ['ENOTDIR'],
    'Look at what is there (namei -l); then correct the path, or find out which program replaces it.',
    { actions: ['list'] },
  ),
  row(['PARENT_NOT_DIRECTORY', 'A part of the path is not a directory'], ['ENOTDIR'], 'Correct the path.'),
  row(
    ['SYMLINK_REFUSED', 'There is a symbolic link where a file or directory is needed, or they lead round in a circle'],
    ['ELOOP'],
    'Remove the link, or correct the path.',
  ),
  row(['TOO_MANY_FILES', 'This process has too many open files'], ['EMFILE'], 'Raise its limit (ulimit -n), or close some.'),
  row(
    ['TOO_MANY_FILES', 'This machine has too many open files'],
    ['ENFILE'],
    'Raise fs.file-max, or find out which program leaks descriptors.',
  ),
  row(
    ['FILE_SYSTEM_ERROR', 'The operation was interrupted before it was done'],
    ['EINTR', 'ERESTART', 'ERESTARTSYS'],
    'Try again. Where it happens again and again, find out which program sends signals to this one, and mount with hard.',
  ),
  row(
    ['FILE_SYSTEM_ERROR', 'The file system asks to be asked later'],
    ['EAGAIN', 'EWOULDBLOCK', 'EJUKEBOX'],
    'Try again. Where it happens again and again, see the system log of the file server.',
  ),
  row(
    ['FILE_SYSTEM_ERROR', 'The file system says that it is in use'],
    ['EBUSY'],
    'Find out which program uses it (fuser, lsof), or what is mounted there (findmnt).',
  ),
  row(
    ['FILE_SYSTEM_ERROR', 'The file system says that something is there already'],
    ['EEXIST', 'ENOTEMPTY'],
    'Look at what lies there (ls -la), find out which program makes it, and try again.',
  ),
  row(
    ['FILE_SYSTEM_ERROR', 'There is no memory left for it'],
    ['ENOMEM', 'ENOBUFS'],
    'Free some on this node, or on the file server.',
  ),
]
