/**
 * Names the holders of an advisory lock, for people. Fails closed: `free` is said only of what is certain.
 *
 * `/proc/locks` answers for this node; on a plain local file system that is the whole answer. Elsewhere (network file
 * systems, or a container that does not see all processes) the lock is taken for a moment without waiting, as the last
 * resort: an attempt of another process in that moment finds it busy.
 */

import { type BigIntStats, stat, statfs } from 'node:fs'
import { dirname } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { isPlainLocal } from '../drivers/file-system.js'
import type { Lane } from '../drivers/lane.js'
import type { AdvisoryCall } from '../types.js'
import { runInLane } from './calls.js'
import { findFcntlEntry, testFcntl } from './fcntl.js'
import { testFlock } from './flock.js'
import { findKernelLocks, seesEveryProcess } from './kernel-locks.js'
import { codeOf, lockError, lstatCall, openExistingLockFile, refuseForeign } from './lock-file.js'

interface AdvisoryProbe {
  state: 'free' | 'held' | 'unknown'
  /** `null` when free, and when the holder cannot be told. */
  pid: number | null
  /** Why it is unknown. */
  reason?: string
}

const FREE: AdvisoryProbe = { state: 'free', pid: null }

/**
 * What those calls together say. `heldWith`: where both were asked, with which of them it is held.
 * @throws ForeignLockError, LockFileSystemError
 */
export async function probeCalls(
  path: string,
  calls: readonly AdvisoryCall[],
  lane: Lane,
): Promise<AdvisoryProbe & { heldWith?: AdvisoryCall[] }> {
  const answers = new Map<AdvisoryCall, AdvisoryProbe>()
  for (const kind of calls) answers.set(kind, await probe(path, { kind, lane }))
  const all = [...answers.values()]
  const held = all.find(({ state }) => state === 'held')
  if (held === undefined) return all.find(({ state }) => state === 'unknown') ?? FREE
  if (calls.length === 1) return held
  return { ...held, heldWith: calls.filter((call) => answers.get(call)?.state === 'held') }
}

/** @throws ForeignLockError, LockFileSystemError */
export async function probe(path: string, { kind, lane }: { kind: AdvisoryCall; lane: Lane }): Promise<AdvisoryProbe> {
  try {
    if (kind === 'fcntl' && (await findFcntlEntry(path, lane))) return { state: 'held', pid: process.pid }
    const there = await lookAt(path, lane)
    if (!there) return FREE
    const locks = await findKernelLocks(kind, there, lane)
    if (locks?.[0]) return { state: 'held', pid: locks[0].pid }
    if (locks && isPlainLocal(await fileSystemType(path, lane)) && (await seesEveryProcess(lane))) return FREE
  } catch (error) {
    throw lockError(path, error, kind)
  }
  return await tryForAMoment(path, kind, lane)
}

/** `null` if nothing is there, though its directory is. */
async function lookAt(path: string, lane: Lane): Promise<BigIntStats | null> {
  try {
    const there = await lane.run<BigIntStats>((done) => lstatCall(path).start(done))
    if (!there.isFile()) await runInLane(refuseForeign(path), lane)
    return there
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    await lane.run((done) => stat(dirname(path), done))
    return null
  }
}

async function fileSystemType(path: string, lane: Lane): Promise<number> {
  const { type } = await lane.run<{ type: number }>((done) => statfs(path, done))
  return type
}

async function tryForAMoment(path: string, kind: AdvisoryCall, lane: Lane): Promise<AdvisoryProbe> {
  if (!isMainThread) {
    // Closing what was opened would drop an fcntl lock of the main thread, which a worker thread knows nothing of.
    return unknown('This kernel does not tell, and a worker thread must not try')
  }
  try {
    const file = await runInLane(openExistingLockFile(path), lane)
    if (!file) return FREE
    const state = kind === 'flock' ? await runInLane(testFlock(file, lane), lane) : await testFcntl(file, lane)
    if (state === 'unknown') return unknown('Without write permission a shared lock of another process cannot be noticed')
    return state === 'free' ? FREE : { state, pid: null }
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error))
  }
}

function unknown(reason: string): AdvisoryProbe {
  return { state: 'unknown', pid: null, reason }
}
