/** What errors mean where an advisory lock is taken: its file is opened, and flock or fcntl is called. Pure. */

import { LINKS_INSTEAD, NOT_SUPPORTED, type Row, row, SMB } from './meaning-row.js'

/** The call that locks. Its file is open by then. */
const LOCK_CALL = ['advisory-lock'] as const
/** Its file is opened, or made. */
const OPENED = { actions: ['advisory-lock', 'open'], means: ['flock', 'fcntl'] } as const

export const LOCKING: readonly Row[] = [
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `On NFSv3 start rpc.statd here and check the server (or mount with vers=4.1); otherwise ${LINKS_INSTEAD}.`,
    { actions: LOCK_CALL, fileSystems: ['nfs3'] },
  ),
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `See the system log of the server, which probably has as many locks as it can keep; otherwise ${LINKS_INSTEAD}.`,
    { actions: LOCK_CALL, fileSystems: ['nfs4'] },
  ),
  // Only the vendor sees a log of these servers.
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `The service probably gives this node no more of them: hold fewer, or ${LINKS_INSTEAD}.`,
    { actions: LOCK_CALL, fileSystems: ['efs', 'fsx', 'azure-files-nfs'] },
  ),
  row(
    ['NO_LOCK_SERVICE', 'The file system has no lock to give'],
    ['ENOLCK'],
    `See the system log of this node and of the file server; otherwise ${LINKS_INSTEAD}.`,
    { actions: LOCK_CALL },
  ),
  row(
    ['QUOTA_EXCEEDED', 'The file server gives this node no more, by a quota'],
    ['EDQUOT'],
    `Amazon EFS answers so when a mount has 8,192 locks, or locks on 256 pairs of file and process, or 32,768 open files: hold fewer, or ${LINKS_INSTEAD}. Elsewhere raise the quota.`,
    { ...OPENED, fileSystems: ['efs', 'nfs4'] },
  ),
  row(
    ['NOT_SUPPORTED', 'The file system does not support this kind of lock'],
    NOT_SUPPORTED,
    `Mount it with the option flock on every node (with localflock locks would stay on their node), or ${LINKS_INSTEAD}.`,
    { actions: LOCK_CALL, fileSystems: ['lustre'] },
  ),
  row(
    ['NOT_SUPPORTED', 'The file system does not support this kind of lock'],
    NOT_SUPPORTED,
    `Instead ${LINKS_INSTEAD}; locktester doctor shows which kinds work here.`,
    { actions: LOCK_CALL },
  ),
  // The file is open by then: it is the lock that is refused, and not the file.
  row(
    ['NOT_SUPPORTED', 'The file system refused a lock of this kind'],
    ['EINVAL'],
    `It probably supports none of this kind: ${LINKS_INSTEAD}; locktester doctor shows which kinds work here.`,
    { actions: LOCK_CALL },
  ),
  row(
    ['NOT_PERMITTED', 'This kind of lock is not permitted'],
    ['EPERM'],
    `Something between this process and the file server probably forbids it, as a sandbox or a security module does: see the system log of this node, or ${LINKS_INSTEAD}.`,
    { actions: LOCK_CALL },
  ),
  row(
    ['FILE_SYSTEM_ERROR', 'The file system takes this lock for a deadlock'],
    ['EDEADLK', 'EDEADLOCK'],
    `Try again, since no process waits in the kernel for locks of this kind; if it stays so, ${LINKS_INSTEAD}.`,
    { actions: LOCK_CALL },
  ),
  row(
    ['ACCESS_DENIED', 'Permission denied'],
    ['EACCES'],
    'The user needs permission to read and write the file, or to create it in its directory; the server decides, and the options uid=, gid=, file_mode= and dir_mode= of the mount.',
    { ...OPENED, fileSystems: SMB },
  ),
  // What an advisory lock needs is less: flock reads, as flock(1) does.
  row(
    ['ACCESS_DENIED', 'Permission denied'],
    ['EACCES'],
    'The user needs permission to read the file (for fcntl, and for exclusive locks on NFSv4, to write it), or to create it in its directory.',
    OPENED,
  ),
  row(
    ['BEING_EXECUTED', 'The file is a program that is being executed, so it cannot be opened for writing'],
    ['ETXTBSY'],
    'This file system wants it opened for writing even for flock (NFSv4 does): lock another file.',
    { ...OPENED, means: ['flock'] },
  ),
  // There flock does not exclude.
  row(
    ['BEING_EXECUTED', 'The file is a program that is being executed, so it cannot be opened for writing'],
    ['ETXTBSY'],
    'Lock another file.',
    { ...OPENED, fileSystems: SMB },
  ),
  row(
    ['BEING_EXECUTED', 'The file is a program that is being executed, so it cannot be opened for writing'],
    ['ETXTBSY'],
    'Use flock, which only reads it where the file system lets it (fcntl, NFSv4 and SMB do not), or lock another file.',
    OPENED,
  ),
]
