/**
 * Where flock does not exclude (`breaksFlock`: SMB) no kind of advisory lock takes it: the default is fcntl alone there. `fs-ext`
 * has fcntl for asynchronous calls in the main thread only, so everything else is refused before a file is opened.
 */

import { isMainThread } from 'node:worker_threads'
import type { DirectoryFacts } from '../drivers/file-system.js'
import { LockFileSystemError } from '../errors.js'
import type { AdvisoryKind } from '../types.js'

/** @throws LockFileSystemError where flock does not exclude, and an attempt of that kind could not take fcntl instead */
export function refuseUnsafeFlock(
  path: string,
  { breaksFlock, identity }: DirectoryFacts,
  { kind, isBlocking }: { kind: AdvisoryKind; isBlocking: boolean },
): void {
  if (!breaksFlock) return
  const [inTheWay, instead] = obstacleTo(kind, isBlocking) ?? []
  if (inTheWay === undefined) return
  const what = `On this mount (${identity}) flock does not exclude: another process of the same node that closes the file ends it on the server${inTheWay}`
  const advice = `${instead}, or use lock-type=linkbased on a mount with nolease (with mfsymlinks and use-symlinks=1); nothing was locked.`
  throw new LockFileSystemError('EOPNOTSUPP', what, { code: 'FLOCK_UNSAFE', path, advice })
}

/** What is in the way of fcntl, behind a sentence about flock, and what to do about it. */
function obstacleTo(kind: AdvisoryKind, isBlocking: boolean): [inTheWay: string, instead: string] | null {
  if (isBlocking) return [', and fs-ext cannot take an fcntl lock with a blocking call', 'Use the asynchronous acquire']
  if (!isMainThread) return [', and fs-ext cannot take an fcntl lock in a worker thread', 'Acquire it in the main thread']
  return kind === 'flock' ? ['', 'Leave advisoryKind out, which takes fcntl here'] : null
}
