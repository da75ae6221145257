/** What is known of a lock that Workbench respects too, without taking anything. */

import { findKernelLocks } from '../advisory/kernel-locks.js'
import { wallClockMs } from '../drivers/clock.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import { runProtocol } from '../drivers/run.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { ForeignLockError } from '../errors.js'
import { mountOfDevice } from '../mounts/mount.js'
import type { FileStatus } from '../protocol/operations.js'
import type { Holder, Inspection } from '../types.js'
import { ageMs, type LinkLock, stateOf, whatLies } from './format.js'
import { look } from './look.js'
import type { Names } from './names.js'
import { serverTime } from './server-time.js'

interface LockPlace {
  path: string
  names: Names
  facts: DirectoryFacts
  timeoutMs: number
}

/** `own`: what is known of our own lock, which comes first. @throws ForeignLockError, LockFileSystemError */
export async function inspectLock(place: LockPlace, own: Inspection | null): Promise<Inspection> {
  const { path, names, facts } = place
  if (own !== null && own.state !== 'free') return { ...own, path }
  const { lane } = mountOfDevice(facts.dev)
  const base = {
    path,
    lockType: 'linkbased' as const,
    token: own?.token ?? null,
    unknownEntries: [],
    waiters: own?.waiters ?? [],
  }
  const looked = await runProtocol(look(names.path), lane)
  if (!looked.ok) {
    const { code: errno, error: cause } = looked
    throw fileSystemError({ action: 'stat', path, errno, fileSystem: facts.fileSystem, cause })
  }
  const { seen, status } = looked.value
  const found = whatLies(seen)
  switch (found.kind) {
    case 'nothing':
      return { ...base, state: 'free' }
    case 'foreign':
      throw new ForeignLockError(path, `it is ${found.what}, and no lock of Workbench`, 'Choose another path.')
    case 'unreadable':
      return { ...base, state: 'unknown', reason: 'this user may not read the file', holder: null }
    case 'advisory':
      return { ...base, ...(await advisoryState(status, place)) }
    case 'link': {
      const serverMs = await runProtocol(serverTime(names.directory), lane)
      const state = stateOf(found, { serverMs: serverMs ?? wallClockMs(), timeoutMs: place.timeoutMs })
      return state === 'released' ? { ...base, state: 'free' } : { ...base, state, holder: toHolder(found, serverMs) }
    }
  }
}

/** Their file names no host. */
function toHolder({ pid, modifiedMs }: LinkLock, serverMs: number | null): Holder {
  const heartbeatAgeMs = modifiedMs === null || serverMs === null ? null : ageMs(modifiedMs, serverMs)
  return { host: null, pid, uid: null, user: null, label: 'Workbench', since: null, heartbeatAgeMs, sameHost: false }
}

/** Never by a lock taken for a moment: for that moment it would be held. */
async function advisoryState(status: FileStatus | null, { facts }: LockPlace) {
  const reason = 'an empty file, as a session with lock-type=advisory has it: whether one holds it cannot be told from here'
  const unknown = { state: 'unknown' as const, reason, holder: null }
  if (status === null || !facts.plainLocal) return unknown
  const file = { dev: BigInt(status.dev), ino: BigInt(status.ino) }
  const locks = await findKernelLocks('fcntl', file, mountOfDevice(facts.dev).lane)
  if (locks === null) return unknown
  const [lock] = locks
  if (lock === undefined) return { state: 'free' as const }
  const nothing = { uid: null, user: null, label: 'Workbench', since: null, heartbeatAgeMs: null }
  return { state: 'held' as const, holder: { ...nothing, host: null, pid: lock.pid, sameHost: true } }
}
