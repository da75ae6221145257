/**
 * Keeping a directory tidy: each process watches the next two living sessions in the order of their names (a ring), so
 * that the dead are usually convicted before a process asks, and removes what the dead have left. Best effort:
 * correctness never depends on it, and no judge depends on what a patrol has seen or forgotten.
 *
 * What lies in the directory was put there by others, perhaps to keep us busy: a round looks at so many files and no more,
 * and stops when it is not wanted any longer.
 */

import { discardMoved } from './create-lock.js'
import { judge, type Verdict } from './judge.js'
import { isMomentaryName, isMovedWaitRoomName, isNameOfHost, isSessionName } from './names.js'
import { ask, type Protocol } from './operations.js'
import { endSession } from './session.js'
import type { Observations, Surroundings } from './site.js'
import { emptyWaitRoom } from './wait-room.js'

/** The next two after ours that live. */
const WATCHED_MAX = 2
/** Looks at session files in one round, and as many at what was left unfinished: a tenth of a second on a mount of 1 ms. */
const LOOKS_MAX = 100

export interface PatrolReport {
  /** Session files of the dead, and what was left unfinished, that were removed. */
  reaped: string[]
}

/** `own`: the names of our sessions in this directory. `leftovers` remembers what is unfinished between patrols. */
export function* patrol(
  directory: string,
  own: readonly string[],
  surroundings: Surroundings,
  leftovers: Observations,
): Protocol<PatrolReport> {
  const reaped: string[] = []
  const listed = yield* ask.list(directory)
  if (!listed.ok) return { reaped }
  const sessions = listed.value.filter(isSessionName)
  let living = 0
  let looks = 0
  for (const name of inTurn(sessions, own)) {
    // Those that ran on this host cost one question more, and no waiting: the dead among them are found at once.
    if (living >= WATCHED_MAX && !isNameOfHost(name, surroundings.me.host)) continue
    if (looks++ >= LOOKS_MAX || !(yield* ask.wanted())) break
    const outcome = yield* lookAfter(directory, name, surroundings, leftovers)
    if (outcome === 'living') living++
    if (outcome === 'reaped') reaped.push(name)
  }
  forgetAbsent(leftovers, listed.value)
  for (const name of listed.value.filter(isMomentaryName).slice(0, LOOKS_MAX)) {
    if (!(yield* ask.wanted())) break
    if (yield* removeLeftover(directory, name, surroundings, leftovers)) reaped.push(name)
  }
  return { reaped }
}

/** All sessions but our own, beginning after ours. */
function inTurn(sessions: readonly string[], own: readonly string[]): string[] {
  const others = sessions.filter((name) => !own.includes(name)).sort()
  const first = own[0] ?? ''
  const after = others.findIndex((name) => name > first)
  const start = after === -1 ? 0 : after
  return [...others.slice(start), ...others.slice(0, start)]
}

/** `dead`: and yet its file stays, because it may be neither marked nor removed by this user. */
type Found = 'living' | 'dead' | 'reaped' | 'missing'

function* lookAfter(directory: string, name: string, surroundings: Surroundings, leftovers: Observations): Protocol<Found> {
  const path = `${directory}/${name}`
  const verdict = yield* judge({ directory, path, sessionFile: null }, surroundings)
  if (verdict.state === 'missing') return 'missing'
  if (verdict.state === 'dead') return (yield* bury(path, verdict)) ? 'reaped' : 'dead'
  // Its maker may have died before the record was written. What cannot be read, or is of another version, is left alone.
  const isLeftOver = verdict.isUnfinished && (yield* removeLeftover(directory, name, surroundings, leftovers))
  return isLeftOver ? 'reaped' : 'living'
}

/** Marks a dead session as ended, so that no process has to watch it again, and removes its file. `true`: it is gone. */
function* bury(path: string, { record, why }: Verdict & { state: 'dead' }): Protocol<boolean> {
  if (record !== null && why !== 'ended') return yield* endSession({ path, record })
  return (yield* ask.unlink(path)).ok
}

/** What is unfinished is remembered by its name, and a name that is gone never comes back. */
function forgetAbsent(leftovers: Observations, present: readonly string[]): void {
  const names = new Set(present)
  for (const name of leftovers.keys()) if (!names.has(name)) leftovers.delete(name)
}

/** Chosen: far longer than anything momentary takes, even on a slow mount. */
const LEFTOVER_MS = 10 * 60 * 1000

/** Removes what was left unfinished, once it has been seen unchanged for long enough. */
function* removeLeftover(directory: string, name: string, { me }: Surroundings, leftovers: Observations): Protocol<boolean> {
  const path = `${directory}/${name}`
  const status = yield* ask.stat(path)
  // What another user has made may be made to deceive.
  if (!status.ok || status.value.uid !== me.uid) return false
  const { type, modifiedMs } = status.value
  const { ownMs } = yield* ask.clock()
  const seen = leftovers.get(name)
  if (seen === undefined || seen.modifiedMs !== modifiedMs) {
    leftovers.set(name, { beat: 0, modifiedMs, sinceMs: ownMs })
    return false
  }
  if (ownMs - seen.sinceMs < LEFTOVER_MS) return false
  leftovers.delete(name)
  if (type !== 'directory') return (yield* ask.unlink(path)).ok
  return isMovedWaitRoomName(name) ? yield* emptyWaitRoom(path) : yield* discardMoved(directory, path)
}
