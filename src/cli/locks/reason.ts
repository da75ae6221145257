/** Why something could not be looked at, in words that stand behind its path. */

import { actionOfCall, meaningOf } from '../../advice/meanings.js'
import { fileSystemAt } from '../../drivers/mount-info.js'
import { MountlockError } from '../../errors.js'
import { codeOf } from '../shared/bounded.js'
import { messageOf } from '../shared/output.js'

export function reasonOf(error: unknown): string {
  const errno = codeOf(error)
  if (error instanceof MountlockError || errno === null) return messageOf(error)
  const { what, advice } = meaningOf({ action: actionOfCall(error) ?? 'stat', errno, fileSystem: fileSystemOf(error) })
  const { syscall } = error as NodeJS.ErrnoException
  // To look takes less permission than to lock.
  const next = errno === 'EACCES' ? 'Look as a user that may read and search it.' : advice
  return `${what} (${syscall === undefined ? '' : `${syscall}: `}${errno}). ${next}`
}

/** The one that the path of a system error lies on. */
function fileSystemOf(error: unknown): string | null {
  const { path } = error as { path?: unknown }
  return typeof path === 'string' ? fileSystemAt(path) : null
}
