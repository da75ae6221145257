/** The directories that a locker works in: which device each is on, and that it stays there. */

import { systemErrorCode } from '../drivers/error-code.js'
import { type DirectoryFacts, directoryFacts, directoryFactsSync } from '../drivers/file-system.js'
import { Lane } from '../drivers/lane.js'
import { mountAt } from '../drivers/mount-info.js'
import { type Work, eitherWay } from '../drivers/work.js'
import { fileSystemError, MountChangedError } from '../errors.js'

/** Until the device of a directory is known, calls go through a lane of the mount that its name suggests. */
const lanes = new Map<string, Lane>()

function discoveryLane(path: string): Lane {
  const mountPoint = mountAt(path)?.mountPoint ?? '/'
  let lane = lanes.get(mountPoint)
  if (lane === undefined) {
    lane = new Lane()
    lanes.set(mountPoint, lane)
  }
  return lane
}

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
      throw fileSystemError('stat', path, systemErrorCode(error) ?? 'EIO', error)
    }
    const before = this.#seen.get(path)
    if (before !== undefined && !isSame(before, facts)) {
      throw new MountChangedError(path, describe(before), describe(facts))
    }
    this.#seen.set(path, facts)
    return facts
  }
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
