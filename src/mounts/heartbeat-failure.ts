/** Why a heartbeat thread did not start: for people, with what to do about it. */

import { missingAddressSpace, missingDirectory, obstacleToThreads } from '../drivers/threads.js'
import { MountlockError } from '../errors.js'

/**
 * A thread that does not start within this time is a machine in trouble: fail rather than hang.
 * Chosen: a thousand times what it takes (20 to 40 ms).
 */
export const START_MS_MAX = 30_000

/** `error`: what was heard of it, if anything. A caller that blocks hears nothing, so what is in the way is looked for. */
export function startFailure(error: unknown): MountlockError {
  const gone = missingDirectory()
  if (gone !== null) {
    return failed('cannot start: the current directory is gone, and Node starts no thread there', gone, GONE_ADVICE)
  }
  const space = missingAddressSpace()
  if (space !== null) {
    return failed('cannot start: too little address space is left for it', space, 'Raise the limit (ulimit -v), or lift it')
  }
  const obstacle = obstacleToThreads()
  if (obstacle !== null) {
    return failed('cannot start: no file descriptors are left for it', obstacle, 'Raise the limit (ulimit -n), or close some')
  }
  return failed(
    'ended as soon as it was started',
    error,
    'Check the memory and the limits of this process (ulimit -a), and that Node may start threads (--allow-worker)',
  )
}

const GONE_ADVICE =
  "Change to a directory that exists (process.chdir('/')), or acquire with a blocking call of the main thread (acquireSync)"

export const tooSlow = () =>
  failed(`did not start within ${START_MS_MAX} ms`, undefined, 'Check the memory and the load of this machine')

function failed(what: string, cause: unknown, advice: string): MountlockError {
  return new MountlockError(`The heartbeat thread ${what}`, {
    code: 'HEARTBEAT_FAILED',
    cause,
    advice: `${advice}; nothing was locked.`,
  })
}
