/** What errors mean whatever was done, after the rows that know more of it. Pure. */

import { NOT_SUPPORTED, type Row, row, SMB } from './meaning-row.js'

const FORCED_MODES = ['bindfs', 'vm-folder', '9p', 'virtiofs', 'sshfs', ...SMB]

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
    ['NAME_TOO_LONG', 'The name of the lock, or its path, is too long'],
    ['ENAMETOOLONG'],
    'Use a shorter one: most file systems take names of 255 bytes, and Linux paths of 4,095.',
  ),
  row(
    ['PARENT_MISSING', 'The directory of the lock was not found'],
    ['ENOENT'],
    'Create it first, or mount the share: mountlock never creates it, because the lock could end up on the wrong disk.',
  ),
  row(['PARENT_NOT_DIRECTORY', 'A part of the path is not a directory'], ['ENOTDIR'], 'Correct the path of the lock.'),
  row(
    ['SYMLINK_REFUSED', 'There is a symbolic link where a file or directory is needed, or they lead round in a circle'],
    ['ELOOP'],
    'Remove the link, or correct the path of the lock.',
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
