/**
 * Are flock and fcntl one lock? Where the client of a file system makes a byte-range lock of each (NFS, SMB, GlusterFS), a
 * process that has taken one is refused the other; elsewhere they do not see each other. What the type of a file system does not
 * tell is tried on a file that no other process knows, and remembered for as long as this process lives.
 */

import { unlink } from 'node:fs'
import { join } from 'node:path'
import type { DirectoryFacts } from '../drivers/file-system.js'
import { randomName } from '../drivers/identity.js'
import type { Lane } from '../drivers/lane.js'
import { LockFileSystemError } from '../errors.js'
import { lookName } from '../protocol/names.js'
import { type AdvisoryHold, tryAdvisory } from './advisory.js'

const tried = new Map<string, boolean>()
const keyOf = ({ dev, identity }: DirectoryFacts) => `${dev} ${identity}`

/** `null`: it has not been tried so far. */
export const knownToBeOne = (facts: DirectoryFacts): boolean | null => facts.locksAreOne ?? tried.get(keyOf(facts)) ?? null

/** Tries it, unless it is known. @throws LockFileSystemError where no file can be made in that directory */
export async function areOneLock(directory: string, facts: DirectoryFacts, lane: Lane): Promise<boolean> {
  const known = knownToBeOne(facts)
  if (known !== null) return known
  const areOne = await excludeEachOther(directory, lane)
  tried.set(keyOf(facts), areOne)
  return areOne
}

/** Both locks of a file that is made for it: is the second refused because of the first? @throws LockFileSystemError */
export async function excludeEachOther(directory: string, lane: Lane): Promise<boolean> {
  const path = join(directory, lookName(randomName()))
  const holds: AdvisoryHold[] = []
  try {
    for (const kind of ['flock', 'fcntl'] as const) {
      const hold = await tryAdvisory(path, { kind, shared: false, lane })
      if (hold === 'busy') return kind === 'fcntl'
      holds.push(hold)
    }
    return false
  } catch (error) {
    throw error instanceof LockFileSystemError ? cannotTell(directory, error) : error
  } finally {
    for (const hold of holds.reverse()) await hold.release().catch(() => {}) // what was found out stays true
    await lane.run<void>((done) => unlink(path, done)).catch(() => {}) // it may not have been made
  }
}

function cannotTell(path: string, { errno, code, cause }: LockFileSystemError): LockFileSystemError {
  const what = 'This file system may take flock and fcntl for one lock, and no file can be made beside the lock to find out'
  const advice = "Give this user permission to write in that directory, or name one call: advisoryKind 'flock'."
  return new LockFileSystemError(errno, what, { code, path, advice, cause })
}
