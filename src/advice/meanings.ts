/**
 * What an error of the file system means for a lock, and what to do about it: one table, chosen by what was being done, by which
 * kind of lock it was done for, on which file system, and by the error. So no two places disagree about what `EPERM` says, and
 * no message advises the lock type in use. Pure.
 *
 * A meaning says what was answered. What may be behind it stands in the advice, after "probably" where it is not certain.
 */

import { LOCKING } from './advisory-meanings.js'
import { ANY } from './general-meanings.js'
import { LINKING } from './link-meanings.js'
import { adviceOn, type Circumstances, type FileSystemAction, LINKS_INSTEAD, type Meaning, type Row } from './meaning-row.js'

export type { Circumstances, FileSystemAction, LockMeans } from './meaning-row.js'

/** In this order; the first row that fits is the one. */
export const ROWS: readonly Row[] = [...LOCKING, ...LINKING, ...ANY]

const ACTIONS: Readonly<Record<string, FileSystemAction>> = {
  link: 'hard-link',
  symlink: 'symlink',
  rename: 'rename',
  flock: 'advisory-lock',
  fcntl: 'advisory-lock',
  open: 'open',
  stat: 'stat',
  lstat: 'stat',
  fstat: 'stat',
  statfs: 'stat',
  realpath: 'stat',
  scandir: 'list',
  opendir: 'list',
  read: 'read',
  write: 'write',
  ftruncate: 'write',
  unlink: 'remove',
  rmdir: 'remove',
  rm: 'remove',
}

/** What was being done, by the system call that failed; `null`: that tells nothing. */
export function actionOfCall(error: unknown): FileSystemAction | null {
  const { syscall } = (error ?? {}) as { syscall?: unknown }
  return (typeof syscall === 'string' ? ACTIONS[syscall] : undefined) ?? null
}

/** @returns a meaning for every error: what the table does not know is named as it was answered */
export function meaningOf({ action, errno, means, fileSystem }: Circumstances): Meaning {
  const fits = (row: Row) =>
    row.errors.includes(errno) &&
    (row.actions?.includes(action) ?? true) &&
    (row.means === undefined || (means != null && row.means.includes(means))) &&
    (row.fileSystems === undefined || (fileSystem != null && row.fileSystems.includes(fileSystem)))
  const { code, what, advice } = ROWS.find(fits) ?? nothingMore(errno, action)
  return { code, what, advice: adviceOn(fileSystem, advice) }
}

function nothingMore(errno: string, action: FileSystemAction): Meaning {
  const logs = 'See the manual page of the operation, and the system log of this node and of the file server'
  const advice = action === 'advisory-lock' ? `${logs}; otherwise ${LINKS_INSTEAD}.` : `${logs}.`
  return { code: 'FILE_SYSTEM_ERROR', what: `The file system answered ${errno}`, advice }
}
