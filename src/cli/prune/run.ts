/**
 * `locktester prune`: removes locks that no process holds and no process has used for long. Each is closed to acquirers
 * first, and so is safe.
 */

import { stat } from 'node:fs/promises'
import { adviceFor, inWords } from '../../changeover/obstructions.js'
import { bounded } from '../shared/bounded.js'
import { EXIT } from '../shared/exit-codes.js'
import { runInterruptibly } from '../shared/interrupt.js'
import { type FoundLock, LockFinder } from '../locks/find-locks.js'
import { type LockStatus, Looker } from '../locks/look.js'
import { actOn, whyNot } from '../locks/act-on.js'
import { reasonOf } from '../locks/reason.js'
import { printable } from '../../log/printable.js'
import { UsageError } from '../shared/usage.js'
import { type Counts, type Fate, say, sayCounts } from './print.js'

export interface PruneOptions {
  directories: readonly string[]
  olderThanMs: number
  dryRun: boolean
}

/** Chosen: a bound for what other users may nest. A lock that lies deeper is pruned by naming a directory nearer to it. */
const DEPTH_MAX = 16

/** Runs the command and ends the process. */
export function runPrune(options: PruneOptions): Promise<void> {
  return runInterruptibly((signal) => pruneAll(options, signal))
}

/** @returns the exit code */
async function pruneAll(options: PruneOptions, signal: AbortSignal): Promise<number> {
  const { directories, olderThanMs, dryRun } = options
  const finder = new LockFinder(DEPTH_MAX)
  for (const directory of directories) await finder.find(directory)
  refuseFiles(finder)
  const unusable = [...finder.unread, ...finder.withoutMarker]
  const counts: Counts = { pruned: 0, kept: { 'in-use': 0, recent: 0, unknown: 0 }, failed: unusable.length }
  for (const { path, message } of unusable) say(path, { failed: message })
  for (const found of finder.locks.values()) {
    if (signal.aborted) break
    const fate = await pruneOne(found, olderThanMs, dryRun)
    say(found.path, fate)
    if (fate === 'pruned') counts.pruned++
    else if ('kept' in fate) counts.kept[fate.kept]++
    else counts.failed++
  }
  sayCounts(counts, options)
  return counts.failed === 0 ? EXIT.ok : EXIT.cannotLock
}

/** Those of advisory locks are found only where they were named. @throws UsageError */
function refuseFiles({ locks }: LockFinder): void {
  const file = [...locks.values()].find(({ lockType }) => lockType === 'advisory')
  if (file === undefined) return
  const what = `${printable(file.path)} is a file, and prune removes lock directories`
  throw new UsageError(`${what}: the file of an advisory lock stays, since a process may have it open`)
}

async function pruneOne(found: FoundLock, olderThanMs: number, dryRun: boolean): Promise<Fate> {
  const { path, lockType } = found
  if (lockType === 'advisory') return { kept: 'unknown' }
  try {
    // Its directory changes with each acquisition and release. Before the look, which may change it as well.
    const { mtimeMs } = await bounded(path, stat(path))
    if (Date.now() - mtimeMs < olderThanMs) return { kept: 'recent' }
    const state = await stateOf(path)
    if (state !== 'free' && state !== 'stale') return { kept: state === 'held' ? 'in-use' : 'unknown' }
    if (dryRun) return 'pruned'
    const outcome = await actOn(found, (locks, lock) => locks.prune(lock))
    if (outcome.kind === 'pruned') return 'pruned'
    if (outcome.kind === 'obstructed') return { failed: `${inWords(outcome.names)} is in the way. ${adviceFor(outcome.names)}` }
    const { outcome: refusal } = outcome
    const isInUse = refusal === 'beaten' || refusal.kind === 'busy'
    return isInUse ? { kept: 'in-use' } : { failed: whyNot(refusal, found) }
  } catch (error) {
    return { failed: reasonOf(error) }
  }
}

/** `null`: it could not be looked at. */
async function stateOf(path: string): Promise<LockStatus['state'] | null> {
  const looker = new Looker({ paths: [path], depthMax: 0 })
  try {
    const { locks } = await looker.look()
    return locks[0]?.state ?? null
  } finally {
    await looker.close()
  }
}
