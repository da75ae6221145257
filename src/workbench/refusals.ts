/** What a lock that Workbench respects too cannot do, or not here, in words. */

import { isMainThread } from 'node:worker_threads'
import { loadFsExt } from '../advisory/fs-ext.js'
import { wallClockMs } from '../drivers/clock.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import type { Ground } from '../drivers/ground.js'
import { fileSystemAt } from '../drivers/mount-info.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { LockFileSystemError, UnsupportedPlatformError } from '../errors.js'
import { warn } from '../log/talk.js'
import { ask, type Protocol } from '../protocol/operations.js'

const REMEDY =
  'Acquire it in the main thread with an asynchronous call, or use `workbench: { advisory: false }`, which keeps out link-based sessions only.'

export const EMPTY_FILE =
  'it is an empty file, as a session with lock-type=advisory has it, and without fcntl it cannot be told whether one holds it'

export function refuseWithoutFcntlSync(path: string): never {
  throw new UnsupportedPlatformError('A blocking call cannot take the fcntl lock that keeps advisory sessions out', REMEDY, path)
}

/** @throws UnsupportedPlatformError, AdvisoryUnavailableError */
export function refuseWithoutFcntl(path: string): void {
  if (!isMainThread)
    throw new UnsupportedPlatformError(
      'A worker thread cannot take the fcntl lock that keeps advisory sessions out',
      REMEDY,
      path,
    )
  loadFsExt()
}

/** The owner's sessions could not change a file that root makes there, and would be locked out. @throws LockFileSystemError */
export function* refuseOthersDirectory(directory: string): Protocol<void> {
  const status = yield* ask.stat(directory)
  if (!status.ok) {
    const { code: errno, error: cause } = status
    throw fileSystemError({ action: 'stat', path: directory, errno, fileSystem: fileSystemAt(directory), cause })
  }
  const { uid } = status.value
  if (process.geteuid?.() !== 0 || uid === 0) return
  throw new LockFileSystemError('EPERM', `The directory belongs to the user ${uid}, and this process runs as root`, {
    code: 'NOT_PERMITTED',
    path: directory,
    advice: `Run it as that user, or its sessions cannot use what root makes there: runuser -u "$(id -nu ${uid})" -- COMMAND.`,
  })
}

/**
 * A path that another user can make lead to a directory that is none of theirs: nothing is locked there.
 * @throws LockFileSystemError
 */
export function refuseOthersChoice(directory: string, { facts, ground }: { facts: DirectoryFacts; ground: Ground | null }): void {
  if (facts.ground === null || ground !== null || !facts.ground.mayLeadElsewhere) return
  throw new LockFileSystemError('EPERM', 'Other users could make the path lead elsewhere', {
    code: 'NOT_PERMITTED',
    path: directory,
    advice: 'Name the directory by a path that only this user and root can change.',
  })
}

/** A fifth of the interval: then a judge on this node is wrong about a file that was refreshed in time. */
const OFFSET_PART_MAX = 0.2

/** Their judges compare the time stamps of the file server with the clock of their node. */
export function warnOfClocks(path: string, serverMs: number, timeoutMs: number): void {
  const offsetMs = Math.round(serverMs - wallClockMs())
  if (Math.abs(offsetMs) <= timeoutMs * OFFSET_PART_MAX) return
  const how = offsetMs > 0 ? 'ahead of' : 'behind'
  const harm = offsetMs > 0 ? 'takes an abandoned lock for live' : 'may take a live lock for abandoned'
  warn(
    `The file server's clock is ${Math.abs(offsetMs)} ms ${how} this node's: Workbench on this node ${harm} (${path}). Set the clocks (chrony, ntpd).`,
    { type: 'MountlockClockWarning', code: 'CLOCKS_DIFFER' },
  )
}
