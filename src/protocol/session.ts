/**
 * The life of a session file: created, kept alive by heartbeats, ended or retired. Dead is forever: a session whose
 * lease ran out is never written as alive again, because a judge may have convicted it, and a judge's link may still
 * be under way.
 */

import { type BeatTime, elapsedMs, leaseMs } from './lease.js'
import { provesNothingDone } from './doubt.js'
import { lookName, sessionName } from './names.js'
import { ask, type Clock, type Failure, type Protocol, type Reply } from './operations.js'
import { decodeRecord, encodeRecord, recordMark, type SessionOwner, type SessionRecord } from './record.js'

/** Everything about a session that the heartbeat needs; plain data, so that it can be handed to another thread. */
export interface Session {
  readonly directory: string
  readonly name: string
  readonly path: string
  /** The device that the file was created on. */
  readonly dev: number
  readonly record: SessionRecord
  /** The last completed heartbeat: when it was started by our clocks, and what the server's clock said. */
  lastBeat: BeatTime
}

export interface SessionTerms {
  label: string
  refreshRateMs: number
  timeoutIntervalMs: number
}

/** Readable by every user that can get there, so that other users can tell that we live; writable by us alone. */
const SESSION_MODE = 0o644

/** What is in doubt is tried once more, under another name: an error that persists is reported as itself. */
export function* createSession(directory: string, owner: SessionOwner, terms: SessionTerms): Protocol<Reply<Session>> {
  const created = yield* createOnce(directory, owner, terms)
  return created.ok || provesNothingDone(created.code) ? created : yield* createOnce(directory, owner, terms)
}

function* createOnce(directory: string, owner: SessionOwner, terms: SessionTerms): Protocol<Reply<Session>> {
  const id = yield* ask.name()
  const name = sessionName(owner.host, owner.pid, id)
  const path = `${directory}/${name}`
  const record: SessionRecord = { ...owner, ...terms, id, beat: 1, state: 'alive' }
  const start = yield* ask.clock()
  const created = yield* ask.create(path, encodeRecord(record), SESSION_MODE)
  if (!created.ok) {
    // The reply may be lost or the write incomplete; the name is new and nothing is linked to it yet, so it may go.
    yield* ask.unlink(path)
    return created
  }
  const { serverMs, dev } = created.value
  return { ok: true, value: { directory, name, path, dev, record, lastBeat: beatTime(start, serverMs) } }
}

export type BeatOutcome =
  | { kind: 'alive'; links: number }
  /** It did not work this time; the lease goes on running. */
  | { kind: 'failed'; code: string; error?: unknown }
  /**
   * The lease was over: the session is dead, for good. Its holders must be told before {@link endSession} tells
   * the other processes.
   */
  | { kind: 'retired' }

/** One heartbeat. */
export function* beat(session: Session): Protocol<BeatOutcome> {
  const lease = leaseMs(session.record.timeoutIntervalMs)
  const start = yield* ask.clock()
  if (elapsedMs(session.lastBeat, beatTime(start, session.lastBeat.serverMs)) > lease) return { kind: 'retired' }

  // A number of its own for every try: a judge that saw a write whose reply was lost must see the next one too.
  session.record.beat++
  const written = yield* ask.rewrite(session.path, recordMark(session.record.id), encodeRecord(session.record))
  const end = yield* ask.clock()
  const serverMs = written.ok ? written.value.serverMs : session.lastBeat.serverMs
  if (elapsedMs(session.lastBeat, beatTime(end, serverMs)) > lease) return { kind: 'retired' }
  if (!written.ok) {
    const failure = yield* unlessBuried(session, written)
    return failure === null ? { kind: 'retired' } : { kind: 'failed', code: failure.code, error: failure.error }
  }

  session.lastBeat = beatTime(start, serverMs)
  return { kind: 'alive', links: written.value.links }
}

/**
 * `null`: our file is gone, or is not ours any more, though its directory is in place: we were convicted while this machine
 * stood still. Otherwise what failed: the heartbeat, or the look that could have told more, which the next heartbeat repeats.
 */
function* unlessBuried(session: Session, beat: Failure): Protocol<Failure | null> {
  if (beat.code !== 'ENOENT' && beat.code !== 'EINVAL') return beat
  // Below an unmounted share it is gone as well, and comes back with it: whose device is this? The change also ends a
  // cached "missing".
  const random = yield* ask.name()
  const path = `${session.directory}/${lookName(random)}`
  const here = yield* ask.create(path, '', 0o600)
  yield* ask.unlink(path)
  if (!here.ok) return here
  if (here.value.dev !== session.dev) return beat
  const found = yield* ask.read(session.path, true)
  if (found.ok) return decodeRecord(found.value.text)?.id === session.record.id ? beat : null
  return found.code === 'ENOENT' ? null : found
}

const beatTime = (start: Clock, serverMs: number): BeatTime => ({ ownMs: start.ownMs, wallMs: start.wallMs, serverMs })

/**
 * Ends a session: all its locks are free at once. Also marks other people's, once they are known to be dead. First the mark,
 * then the name goes: a lock that is a hard link shows the record for ever, and without the mark each judge has to watch it
 * by itself. So a file that cannot be marked (a full disk; another user's) stays, and with it the chance to mark it later.
 * `true`: the name is gone.
 */
export function* endSession({ path, record }: Pick<Session, 'path' | 'record'>): Protocol<boolean> {
  record.state = 'ended'
  const marked = yield* ask.rewrite(path, recordMark(record.id), encodeRecord(record))
  // A hard-linked lock keeps the ended record; a symlinked one dangles, which says the same.
  if (!marked.ok && !(yield* isWithoutLinks(path, marked.code))) return false
  return (yield* ask.unlink(path)).ok
}

/** Nothing shows the record but the session file itself: then the missing name says all that the mark would have said. */
function* isWithoutLinks(path: string, code: string): Protocol<boolean> {
  // What was read under this name is not the session: it is not ours to remove.
  if (code === 'EINVAL' || code === 'ELOOP') return false
  const found = yield* ask.stat(path)
  return found.ok && found.value.type === 'file' && found.value.links === 1
}

/** Is the session file where it was made? Below an unmounted share it is not. */
export function* isSessionFileInPlace(session: Session): Protocol<boolean> {
  const found = yield* ask.stat(session.path)
  return found.ok && found.value.dev === session.dev
}
