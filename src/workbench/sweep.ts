/** What the dead left in a hidden directory, so that it goes with its last user. */

import { ask, type Protocol } from '../protocol/operations.js'
import { isDissolvedNote, isMomentaryName } from '../protocol/names.js'
import { patrol } from '../protocol/patrol.js'
import type { Observations, Surroundings } from '../protocol/site.js'
import { serverTime } from './server-time.js'

/** In one sweep: the next one goes on. Chosen, as of a patrol: a tenth of a second on a mount of 1 ms. */
const LOOKS_MAX = 100

/**
 * A patrol, for which what was left unfinished two intervals ago is as old as it has to be: nothing that is made there is
 * unfinished for longer than moments, and no process that was stopped for so long has a lease.
 */
export function* sweepHidden(hidden: string, surroundings: Surroundings, intervalMs: number): Protocol<void> {
  const listed = yield* ask.list(hidden)
  if (!listed.ok || listed.value.length === 0) return
  const nowMs = yield* serverTime(hidden)
  const leftovers: Observations = new Map()
  for (const name of listed.value.slice(0, LOOKS_MAX)) {
    const status = yield* ask.stat(`${hidden}/${name}`)
    if (nowMs === null || !status.ok || nowMs - status.value.modifiedMs <= 2 * intervalMs) continue
    leftovers.set(name, { beat: 0, modifiedMs: status.value.modifiedMs, sinceMs: Number.NEGATIVE_INFINITY })
  }
  yield* patrol(hidden, [], surroundings, leftovers)
  yield* removeNotes(hidden)
}

/** How often another process may be asking the file server's clock in it just then. */
const ROUNDS_MAX = 20

/**
 * With what others do in it for a moment; where more than that lies in it they are at work, and the last of them removes it. What
 * stays is the draft of a process that found it moved when it wanted to discard it; one that is being made is made again.
 */
export function* removeHidden(hidden: string): Protocol<void> {
  let stayed: readonly string[] | null = null
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    if ((yield* ask.rmdir(hidden)).ok) return
    const listed = yield* ask.list(hidden)
    if (!listed.ok || !listed.value.every(isMomentaryName)) return
    const present = new Set(listed.value)
    stayed = (stayed ?? listed.value).filter((name) => present.has(name))
  }
  for (const name of (stayed ?? []).slice(0, LOOKS_MAX)) yield* ask.rmdir(`${hidden}/${name}`)
  yield* ask.rmdir(hidden)
}

/** A process that died as it took our lock away left a note about the lock: without the lock it says nothing. */
function* removeNotes(hidden: string): Protocol<void> {
  const listed = yield* ask.list(hidden)
  if (!listed.ok || !listed.value.every(isDissolvedNote)) return
  for (const name of listed.value.slice(0, LOOKS_MAX)) yield* ask.unlink(`${hidden}/${name}`)
}
