/** The directories that a locker works in: which device each is on, and that it stays there. */

import { systemErrorCode } from '../drivers/error-code.js'
import { type DirectoryFacts, directoryFacts, directoryFactsSync } from '../drivers/file-system.js'
import { canUseDescriptors, Footing } from '../drivers/footing.js'
import { type Ground, groundOf, type Identity, placeOf, realPathOf } from '../drivers/ground.js'
import { Lane } from '../drivers/lane.js'
import { fileSystemAt, mountAt } from '../drivers/mount-info.js'
import { obstacleTo } from '../drivers/obstacle.js'
import { runProtocol, runCalls, runCallsBlocking } from '../drivers/run.js'
import { type Work, eitherWay } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { LockFileSystemError, MountChangedError } from '../errors.js'
import type { Protocol } from '../protocol/operations.js'

const lanes = new Map<string, Lane>()

/** Until the device of a directory is known, calls go through a lane of the mount that its name suggests. */
function discoveryLane(path: string): Lane {
  const mountPoint = mountAt(path)?.mountPoint ?? '/'
  let lane = lanes.get(mountPoint)
  if (lane === undefined) {
    lane = new Lane()
    lanes.set(mountPoint, lane)
  }
  return lane
}

const obstacleOnTheWay = (path: string): Work<string | null> =>
  eitherWay(
    () => runCallsBlocking(obstacleTo(path)),
    () => runCalls(obstacleTo(path), discoveryLane(path)),
  )

export class Directories {
  readonly #seen = new Map<string, DirectoryFacts>();

  /** Looks at a directory. @throws MountChangedError if it is on another file system than before */
  *look(path: string): Work<DirectoryFacts> {
    let facts: DirectoryFacts
    try {
      facts = yield* eitherWay(
        () => directoryFactsSync(path),
        () => directoryFacts(path, discoveryLane(path)),
      )
    } catch (error) {
      const errno = systemErrorCode(error) ?? 'EIO'
      const obstacle = errno === 'ENOENT' ? yield* obstacleOnTheWay(path) : null
      const seen =
        obstacle === null
          ? ({ action: 'stat', cause: error } as const)
          : ({ action: 'follow', cause: new Error(obstacle) } as const)
      throw fileSystemError({ ...seen, path, errno, fileSystem: fileSystemAt(path) })
    }
    const before = this.#seen.get(path)
    if (before !== undefined && !isSame(before, facts)) {
      throw new MountChangedError(path, describe(before), describe(facts))
    }
    if (before !== undefined) refuseReplaced(before.ground, facts.ground)
    this.#seen.set(path, facts)
    return facts
  }
}

/** Where a path really leads may be another user's choice: then it stays where it led first, for the life of this process. */
function refuseReplaced(before: Ground | null, now: Ground | null): void {
  if (before === null || now === null || placeOf(before) === placeOf(now)) return
  if (!before.mayLeadElsewhere && !now.mayLeadElsewhere) return
  const cause = new Error(`it led to ${placeOf(before)} and leads to ${placeOf(now)} now`)
  throw fileSystemError({ action: 'stat', path: before.path, errno: 'EREPLACED', fileSystem: null, cause })
}

/**
 * What a piece of work stands on there. `path`, `seen`: a directory in it, and which one that was when it was seen
 * last.
 * @throws LockFileSystemError
 */
export function footingOn(ground: Ground | null, path?: string, seen?: Identity | null): Footing | null {
  if (ground === null) return null
  if (canUseDescriptors()) return new Footing(ground, path, seen)
  const what = 'Other users could swap what is locked here, and this platform has no /proc to protect against that'
  throw new LockFileSystemError('ENOSYS', what, {
    code: 'NO_DESCRIPTORS',
    path: ground.path,
    advice: 'Mount /proc, or lock in a directory that only this user and root can write to.',
  })
}

/** Runs a piece of protocol in a directory that was not looked at before. @throws LockFileSystemError */
export async function inDirectory<Result>(directory: string, protocol: Protocol<Result>): Promise<Result> {
  const lane = discoveryLane(directory)
  const ground = await runCalls(groundOf(directory), lane)
  return await runProtocol(protocol, lane, undefined, footingOn(ground))
}

/** Where other users could swap what is worked in; `null`: they could not. */
export function groundAt(directory: string): Work<Ground | null> {
  return eitherWay(
    () => runCallsBlocking(groundOf(directory)),
    () => runCalls(groundOf(directory), discoveryLane(directory)),
  )
}

/** Where a directory is once all links are followed; `null`: it is not there, or cannot be told. */
export function realPath(directory: string): Work<string | null> {
  return eitherWay(
    () => runCallsBlocking(realPathOf(directory)),
    () => runCalls(realPathOf(directory), discoveryLane(directory)),
  )
}

/** A share that was unmounted and mounted again may have another device number; a local file system is known by it alone. */
function isSame(before: DirectoryFacts, now: DirectoryFacts): boolean {
  if (before.dev === now.dev) return true
  return !before.coherent && !now.coherent && before.identity === now.identity
}

export const describe = ({ identity, dev }: DirectoryFacts) => `${identity} (device ${dev})`
/** What is known of a directory when a file that was just opened in it is somewhere else. */
export const fileOnDevice = (dev: number) =>
  `another one (a file that was just opened in it was on device ${dev}, and is not there any more)`
