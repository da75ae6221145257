/**
 * Keeping a directory tidy: each process watches the next two session files in the order of their names (a ring), so
 * that the dead are usually convicted before anybody asks, and removes what the dead have left. Best effort:
 * correctness never depends on it.
 */

import { discardMoved } from './create-lock.js'
import { judge, type Verdict } from './judge.js'
import { isMomentaryName, isSessionName, parseSessionName, sessionIdOf } from './names.js'
import { ask, type Protocol } from './operations.js'
import { endSession } from './session.js'
import type { Observations, Surroundings } from './site.js'

const WATCHED_MAX = 2

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
  for (const name of watched(sessions, own, surroundings.me.host)) {
    const path = `${directory}/${name}`
    const verdict = yield* judge({ directory, path, sessionFile: null }, surroundings)
    if (verdict.state === 'dead' && (yield* bury(path, verdict))) reaped.push(name)
    // Its maker may have died before the record was written. What cannot be read, or is of another version, is left alone.
    if (verdict.state === 'alive' && verdict.isUnfinished && (yield* removeLeftover(directory, name, surroundings, leftovers)))
      reaped.push(name)
  }
  forgetAbsent(surroundings.observations, sessions)
  for (const name of listed.value.filter(isMomentaryName)) {
    if (yield* removeLeftover(directory, name, surroundings, leftovers)) reaped.push(name)
  }
  return { reaped }
}

/** The next two after ours, and all that ran on this host (they cost one system call each). */
function watched(sessions: readonly string[], own: readonly string[], host: string): string[] {
  const others = sessions.filter((name) => !own.includes(name)).sort()
  const first = own[0] ?? ''
  const after = others.findIndex((name) => name > first)
  const start = after === -1 ? 0 : after
  const ring = [...others.slice(start), ...others.slice(0, start)].slice(0, WATCHED_MAX)
  return [...ring, ...others.filter((name) => !ring.includes(name) && parseSessionName(name)?.host === host)]
}

/** Marks a dead session as ended, so that nobody has to watch it again, and removes its file. */
function* bury(path: string, verdict: Verdict & { state: 'dead' }): Protocol<boolean> {
  if (verdict.record !== null && verdict.why !== 'ended') {
    yield* endSession({ path, record: verdict.record })
    return true
  }
  return (yield* ask.unlink(path)).ok
}

/** Sessions whose files are gone need not be remembered. */
function forgetAbsent(observations: Observations, sessions: readonly string[]): void {
  const present = new Set(sessions.map(sessionIdOf))
  for (const id of observations.keys()) if (!present.has(id)) observations.delete(id)
}

/** Far longer than anything momentary takes, even on a slow mount. */
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
  return type === 'directory' ? yield* discardMoved(directory, path) : (yield* ask.unlink(path)).ok
}
