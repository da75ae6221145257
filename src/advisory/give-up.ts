/**
 * Gives the file of a free advisory lock up, so that its path can become a lock of another type:
 *
 * 1. Both advisory locks of the file are taken, flock and fcntl, without waiting. (One where each excludes the other, as on NFS.)
 *    From now on no process holds it. A crash here leaves what was there: the kernel drops the locks.
 * 2. A sentence is written into it: {@link GIVEN_UP}. A process that had opened the file before, and locks it after us, finds
 *    the sentence behind its own lock, and looks the path up again. A crash here leaves a file with that sentence, which the
 *    next process that can lock it empties (`isInPlace`), or the next one that gives it up removes.
 * 3. It is removed with `unlink`, which never hits a directory, and its locks are dropped with it.
 *
 * As long as the locks of step 1 last, no other process may change the path, so nothing is hit by a slow step 3. A server that
 * drops the locks of a machine that was paused (NFSv4) takes that protection away, as it does from every advisory lock.
 */

import { type BigIntStats, fstat, open, write } from 'node:fs'
import { systemErrorCode } from '../drivers/error-code.js'
import type { Footing } from '../drivers/footing.js'
import type { Lane } from '../drivers/lane.js'
import { runProtocol } from '../drivers/run.js'
import { ForeignLockError } from '../errors.js'
import { isAbsent } from '../protocol/doubt.js'
import { ask } from '../protocol/operations.js'
import type { AdvisoryCall } from '../types.js'
import { type AdvisoryHold, tryAdvisory } from './advisory.js'
import { GIVEN_UP, identityOf, READ_WRITE } from './lock-file.js'
import { probe } from './probe.js'
import { closeOrPark } from './process-registry.js'

export type GiveUpOutcome =
  /** There is no file any more. */
  | { kind: 'gone' }
  /** Another file has taken its place: look again. */
  | { kind: 'replaced' }
  /** `pid`: of the holder, `null` where the kernel does not tell. */
  | { kind: 'held'; pid: number | null }
  /** Only an empty file is a lock and nothing else. */
  | { kind: 'not-empty' }

/** What a lock of that file is made of. */
export interface FileLocks {
  calls: readonly AdvisoryCall[]
  lane: Lane
  /** Finds out whether both calls are one lock there: asked where the second is refused. */
  areOne(): Promise<boolean>
}

/**
 * @throws what the file system refuses, AdvisoryUnavailableError, UnsupportedPlatformError
 */
export async function giveUp(path: string, locks: FileLocks, footing: Footing | null): Promise<GiveUpOutcome> {
  const { lane } = locks
  const holds: AdvisoryHold[] = []
  try {
    const held = await takeAll(path, locks, holds)
    if (held !== null) return { kind: 'held', pid: await holderOf(path, held, lane) }
    return await removeLocked(path, holds, lane, footing)
  } catch (error) {
    if (isAbsent(systemErrorCode(error) ?? '') || error instanceof NoFile) return { kind: 'gone' } // another process was faster
    throw error
  } finally {
    for (const hold of holds) await hold.release().catch(() => {}) // the file is gone, or the first error is the one to tell
  }
}

/** Takes the locks of the file. @returns which of them another process holds */
async function takeAll(path: string, { calls, lane, areOne }: FileLocks, holds: AdvisoryHold[]): Promise<AdvisoryCall | null> {
  for (const kind of calls) {
    const hold = await tryAdvisory(path, { kind, shared: false, lane }).catch((error) => {
      throw error instanceof ForeignLockError ? new NoFile() : error
    })
    // Where they are one lock, and the first is ours, no other process has either.
    if (hold === 'busy' && holds.length > 0 && (await areOne())) return null
    if (hold === 'busy') return kind
    holds.push(hold)
  }
  return null
}

class NoFile extends Error {}

async function holderOf(path: string, kind: AdvisoryCall, lane: Lane): Promise<number | null> {
  const { pid } = await probe(path, { kind, lane }).catch(() => ({ pid: null }))
  return pid
}

/** Everything that could hold the file is ours now. */
async function removeLocked(path: string, holds: AdvisoryHold[], lane: Lane, footing: Footing | null): Promise<GiveUpOutcome> {
  const fd = await lane.run<number>((done) => open(path, READ_WRITE, done))
  const there = await lane.run<BigIntStats>((done) => fstat(fd, { bigint: true }, done))
  try {
    if (holds.some((hold) => !isSame(hold, there))) return { kind: 'replaced' }
    if (there.size !== 0n) return { kind: 'not-empty' }
    // In the directory in which it was locked: its path may lead to another one by now.
    const named = await runProtocol(ask.stat(path), lane, undefined, footing)
    if (!named.ok) throw named.error ?? new Error(named.code)
    if (!isSame(named.value, there)) return { kind: 'replaced' }
    await lane.run((done) => write(fd, GIVEN_UP, 0, 'latin1', done))
    const removed = await runProtocol(ask.unlink(path), lane, undefined, footing)
    if (!removed.ok) throw removed.error ?? new Error(removed.code)
    return { kind: 'gone' }
  } finally {
    // Closing it now would drop our own fcntl lock.
    await lane.run<void>((done) => closeOrPark(identityOf(there), fd, lane, done))
  }
}

const isSame = (file: { dev: number; ino: number }, there: BigIntStats) =>
  file.dev === Number(there.dev) && file.ino === Number(there.ino)
