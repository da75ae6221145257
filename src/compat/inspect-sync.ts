/** Is a link-based lock held? With blocking calls, which only `checkSync` needs. */

import { Directories, footingOn } from '../mounts/directories.js'
import { surroundingsOf } from '../mounts/surroundings.js'
import { runProtocolBlocking } from '../drivers/run.js'
import * as work from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { lockPath } from '../lock-type/lock-path.js'
import { hardLinkClaim } from '../protocol/claim-hard-link.js'
import { inspect } from '../protocol/inspect.js'
import { newMemory } from '../protocol/site.js'

const directories = new Directories()

export function isHeldSync(path: string): boolean {
  const { directory, path: absolute } = lockPath(path)
  const facts = work.runBlocking(directories.look(directory))
  const { dev, mode, ground } = facts
  const surroundings = surroundingsOf(facts)
  const site = { path: absolute, directory, dev, mode, claim: hardLinkClaim, memory: newMemory(), surroundings }
  const outcome = runProtocolBlocking(inspect(site), undefined, footingOn(ground))
  if (outcome.kind === 'failed') {
    const { code: errno, error: cause } = outcome
    throw fileSystemError({ action: 'list', path: absolute, errno, fileSystem: facts.fileSystem, cause })
  }
  // What is not ours may be held by another program: as long as it is there, no process gets the lock.
  if (outcome.kind === 'foreign') return true
  return outcome.inspection.state === 'held' || outcome.inspection.state === 'unknown'
}
