/**
 * Is the holder dead? Three proofs count, and nothing else: it ran here and its process is gone; its record says that it
 * ended (or is gone for good); or its heartbeat stood still, on our own clock, for its whole timeout-interval and a
 * margin. Time stamps are never compared with a clock, so that no clock can lie. Everything that cannot be read means "alive".
 */

import { present } from '../assert.js'
import { coarsenessMs, silenceMs } from './lease.js'
import { lookName, sessionOfTarget } from './names.js'
import { ask, type Contents, type Protocol, type Reply } from './operations.js'
import {
  decodeRecord,
  isSameHost,
  isTorn,
  isUnfinished,
  provingStartTime,
  type SessionRecord,
  TIMEOUT_INTERVAL_MS_MAX,
} from './record.js'
import type { Observation, Observations, Surroundings } from './site.js'

export type Verdict =
  /** `isUnfinished`: it was read, and is not a whole record of any version. */
  | { state: 'alive'; record: SessionRecord | null; modifiedMs: number | null; isUnfinished: boolean; why: string }
  | { state: 'dead'; record: SessionRecord | null; modifiedMs: number | null; why: 'process-gone' | 'ended' | 'silent' }
  /** There is no such entry (any more). */
  | { state: 'missing' }

/** Where a record is found: behind an entry of a lock directory, or in a session file that the entry's name tells. */
export interface Holder {
  directory: string
  path: string
  sessionFile: string | null
}

/** Judges the holder of an entry of a lock directory, or the owner of a session file. */
export function* judge(holder: Holder, surroundings: Surroundings): Protocol<Verdict> {
  const before = yield* ask.clock()
  const found = yield* readRecord(holder, surroundings)
  if (found === 'missing') return { state: 'missing' }
  if (found === 'dangling') return { state: 'dead', record: null, modifiedMs: null, why: 'ended' }
  if (!found.ok) return alive(null, null, `its record cannot be read: ${found.code}`)
  const { text, modifiedMs, ino } = found.value
  const record = decodeRecord(text)
  if (record === null) return yield* judgeUnreadable(holder, found.value, before.ownMs, surroundings)
  if (record.state === 'ended') return { state: 'dead', record, modifiedMs, why: 'ended' }

  const { me } = surroundings
  if (isSameHost(record, me) && (yield* ask.process(record.pid, provingStartTime(record, me))) === 'gone') {
    return { state: 'dead', record, modifiedMs, why: 'process-gone' }
  }
  const { beat, timeoutIntervalMs } = record
  const keys = keysOf(holder, ino, record)
  const silent = yield* observe({ keys, beat, modifiedMs, timeoutIntervalMs }, before.ownMs, surroundings)
  return silent
    ? { state: 'dead', record, modifiedMs, why: 'silent' }
    : alive(record, modifiedMs, 'it has not been seen silent for long enough')
}

/**
 * Whose writer died in the middle of a write it stays torn for ever, and a lock that is a hard link shows it. Its own interval
 * cannot be relied on then, but it is not longer than any that a record may name: so this watching comes to its end as well.
 */
function* judgeUnreadable(
  holder: Holder,
  { text, modifiedMs }: Contents,
  beforeMs: number,
  surroundings: Surroundings,
): Protocol<Verdict> {
  if (!isTorn(text)) return alive(null, modifiedMs, 'its record is of another version')
  const seen = { keys: [holder.path], beat: digest(text), modifiedMs, timeoutIntervalMs: TIMEOUT_INTERVAL_MS_MAX }
  const silent = yield* observe(seen, beforeMs, surroundings)
  return silent
    ? { state: 'dead', record: null, modifiedMs, why: 'silent' }
    : alive(null, modifiedMs, 'its record is not readable', isUnfinished(text))
}

/** A number that hardly any other text has. */
function digest(text: string): number {
  let number = text.length
  for (let index = 0; index < text.length; index++) number = (number * 31 + text.charCodeAt(index)) | 0
  return number
}

function alive(record: SessionRecord | null, modifiedMs: number | null, why: string, isUnfinished = false): Verdict {
  return { state: 'alive', record, modifiedMs, isUnfinished, why }
}

/**
 * A session's observation is kept also when its file is gone: a lock that is a hard link still shows its record, and the
 * watching has to come to its end. Of more than so many (20 MB) the one goes that was looked at longest ago.
 */
const OBSERVATIONS_MAX = 50_000

function remember(observations: Observations, key: string, observation: Observation): void {
  observations.delete(key)
  const [oldest] = observations.keys()
  if (observations.size >= OBSERVATIONS_MAX) observations.delete(present(oldest, 'an observation'))
  observations.set(key, observation)
}

/**
 * By what a file is known again: by its number, since a lock and its session file are names of one file; and by its name, where
 * numbers do not last. Its record alone does not tell: that of a copy says the same, and stands still while the session lives, or
 * has another time stamp. A copy must neither keep a dead session alive nor convict a live one.
 */
const keysOf = ({ directory, path }: Holder, ino: number, { id }: SessionRecord) => [`${directory} ${ino} ${id}`, `${path} ${id}`]

/** What is seen of a heartbeat. `keys`: of the file, among what is remembered. */
export interface Sight {
  keys: readonly string[]
  beat: number
  modifiedMs: number
  timeoutIntervalMs: number
}

/** Compares with what was seen before. The silence counts from *after* the first look to *before* this one. */
export function* observe(sight: Sight, beforeMs: number, surroundings: Surroundings): Protocol<boolean> {
  const { keys, beat, modifiedMs, timeoutIntervalMs } = sight
  const { observations, extraSilenceMs, coherent } = surroundings
  const asBefore = keys.map((key) => observations.get(key) ?? null).map((seen) => (isSame(seen, sight) ? seen : null))
  const afterMs = asBefore.includes(null) ? (yield* ask.clock()).ownMs : beforeMs
  for (const [place, key] of keys.entries())
    remember(observations, key, asBefore[place] ?? { beat, modifiedMs, sinceMs: afterMs })
  const cacheMs = extraSilenceMs + (coherent ? 0 : coarsenessMs(modifiedMs))
  const silentFromMs = beforeMs - silenceMs(timeoutIntervalMs) - cacheMs
  return asBefore.some((seen) => seen !== null && seen.sinceMs <= silentFromMs)
}

const isSame = (seen: Observation | null, { beat, modifiedMs }: Sight) =>
  seen !== null && seen.beat === beat && seen.modifiedMs === modifiedMs

type Found = Reply<Contents> | 'missing' | 'dangling'

/**
 * Reads the record of a holder: a hard link is read itself, a symlink is followed by hand, to a session file beside the
 * lock only.
 */
export function* readRecord({ directory, path, sessionFile }: Holder, surroundings: Surroundings): Protocol<Found> {
  if (sessionFile !== null) return yield* readSession(directory, sessionFile, surroundings)
  const direct = yield* ask.read(path, !surroundings.coherent)
  if (direct.ok) return direct
  if (direct.code === 'ENOENT') return 'missing'
  if (direct.code !== 'ELOOP') return direct

  const target = yield* ask.readlink(path)
  if (!target.ok) return target.code === 'ENOENT' ? 'missing' : target
  const session = sessionOfTarget(target.value)
  return session === null ? { ok: false, code: 'EINVAL' } : yield* readSession(directory, session, surroundings)
}

function* readSession(directory: string, name: string, { coherent }: Surroundings): Protocol<Found> {
  const found = yield* ask.read(`${directory}/${name}`, !coherent)
  if (found.ok || found.code !== 'ENOENT') return found
  if (coherent) return 'dangling'
  // A missing name may be a cached one that hides a live session. After a change of our own the directory is fresh.
  // (Names that this client has seen missing *before* they were made can stay missing for good; no process looks for a
  // random name before it is there.)
  if (!(yield* ownChange(directory))) return { ok: false, code: 'ENOENT' }
  const again = yield* ask.read(`${directory}/${name}`, true)
  return !again.ok && again.code === 'ENOENT' ? 'dangling' : again
}

/**
 * Changes a directory and puts it back: what this node reads of it next is fresh, on every NFS version. `false` if that
 * could not be done.
 */
export function* ownChange(directory: string): Protocol<boolean> {
  return (yield* changeOfOwn(directory)).ok
}

/** The same, with the reason where it could not be done. */
export function* changeOfOwn(directory: string): Protocol<Reply<void>> {
  const random = yield* ask.name()
  const path = `${directory}/${lookName(random)}`
  const created = yield* ask.create(path, '', 0o600)
  // Also when creating seems to have failed: the reply may have been lost.
  const removed = yield* ask.unlink(path)
  // Only what this client was told was done has refreshed what it remembers: an error, ESTALE too, tells nothing.
  return created.ok || removed.ok ? { ok: true, value: undefined } : created
}
