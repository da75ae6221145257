/** The one place where an error of the file system becomes a sentence, by the table in `meanings.ts`. */

import { LockFileSystemError } from '../errors.js'
import { withName } from './errno-names.js'
import { type Circumstances, meaningOf } from './meanings.js'

export interface FileSystemFailure extends Circumstances {
  /** Each caller says which, or that it is not known (`null`): without it the advice may be that of another one. */
  readonly fileSystem: string | null
  /** The lock, or the file, that it is about. */
  readonly path: string
  /** The system's own error, where there is one. */
  readonly cause?: unknown
}

/** Snapshots of NetApp and of ZFS are read-only directories inside of the file system. */
const SNAPSHOT = /\/(\.snapshot|\.zfs\/snapshot)\//

export function fileSystemError({ path, cause, ...circumstances }: FileSystemFailure): LockFileSystemError {
  const { errno } = circumstances
  const fileSystem = SNAPSHOT.test(path) ? 'snapshot' : circumstances.fileSystem
  const { code, what, advice } = meaningOf({ ...circumstances, fileSystem })
  return new LockFileSystemError(errno, what, { code, path, advice, cause: withoutFrames(cause, circumstances) })
}

/** As the system calls it, for an error that came without the system's own. */
const CALLS: Partial<Record<Circumstances['action'], string>> = {
  'hard-link': 'link',
  release: 'rename',
  remove: 'unlink',
  create: 'open',
  list: 'readdir',
}

/** The cause's stack is ten lines of ours, and would hide the caller's. */
function withoutFrames(cause: unknown, { action, errno, means }: Circumstances): unknown {
  if (cause === undefined) {
    const call = action === 'advisory-lock' ? (means ?? 'open') : (CALLS[action] ?? action)
    return withoutFrames(Object.assign(new Error(`${errno}: ${call}`), { code: errno, syscall: call }), { action, errno, means })
  }
  const named = withName(cause)
  if (named instanceof Error) named.stack = `${named.name}: ${named.message}`
  return named
}
