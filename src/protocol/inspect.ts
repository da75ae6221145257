/** Looks at a lock without touching it: which process holds it, and is the holder alive? */

import { type ForeignThing, whatIsNoDirectory, whatIsWithoutLock } from './foreign.js'
import { judge, ownChange } from './judge.js'
import { isDissolvedName, type LockListing, lockKindIn, lookName, parseReviving } from './names.js'
import { ask, type FileStatus, type Protocol, type Reply } from './operations.js'
import { isSameHost, type SessionRecord } from './record.js'
import { listing } from './settle.js'
import type { Site } from './site.js'

export interface LinkInspection {
  state: 'free' | 'held' | 'stale' | 'unknown'
  why: string
  generation: bigint | null
  record: SessionRecord | null
  sameHost: boolean
  /** By the server's clock, in milliseconds since the epoch. */
  sinceMs: number | null
  heartbeatAgeMs: number | null
  unknownEntries: string[]
}

export type InspectOutcome =
  | { kind: 'seen'; inspection: LinkInspection }
  | { kind: 'foreign'; what: ForeignThing }
  | { kind: 'failed'; code: string; error?: unknown }

const NOTHING: LinkInspection = {
  state: 'free',
  why: 'no process has ever held it',
  generation: null,
  record: null,
  sameHost: false,
  sinceMs: null,
  heartbeatAgeMs: null,
  unknownEntries: [],
}

export function* inspect(site: Site): Protocol<InspectOutcome> {
  const lockDirectory = yield* ask.stat(site.path)
  const before = inItsPlace(lockDirectory)
  if (before !== null) return { kind: 'foreign', what: before }
  const listed = yield* listOurs(site)
  if (!listed.ok) {
    if (listed.code === 'ENOENT') return { kind: 'seen', inspection: NOTHING }
    const now = listed.code === 'ENOTDIR' ? inItsPlace(yield* ask.stat(site.path)) : null
    return now === null ? { kind: 'failed', ...listed } : { kind: 'foreign', what: now }
  }
  const found = listed.value
  const kind = found.kind ?? lockKindIn(found.unknown)
  if (kind !== site.claim.kind) return { kind: 'foreign', what: whatIsWithoutLock({ ...found, kind }) }
  if (found.unknown.some((name) => isDissolvedName(name) || parseReviving(name) !== null))
    return { kind: 'seen', inspection: { ...NOTHING, why: 'it is being taken away, or made a free lock again' } }
  if (found.highest === null) return { kind: 'foreign', what: 'empty' }
  const seen: LinkInspection = {
    ...NOTHING,
    why: 'it was released',
    generation: found.highest,
    unknownEntries: found.unknown,
  }
  if (found.free) return { kind: 'seen', inspection: seen }

  const entry = `${site.path}/${found.entry}`
  const { directory, surroundings } = site
  const verdict = yield* judge({ directory, path: entry, sessionFile: found.sessionFile }, surroundings)
  if (verdict.state === 'missing')
    return { kind: 'seen', inspection: { ...seen, state: 'unknown', why: 'it was changing hands' } }
  // A session that ended has given back all that it held, this lock too, even where the entry could not be renamed any more.
  if (verdict.state === 'dead' && verdict.why === 'ended')
    return { kind: 'seen', inspection: { ...seen, why: 'its holder has ended' } }
  const { record } = verdict
  const status = yield* ask.stat(entry)
  const isSymlink = status.ok && status.value.type === 'symlink'
  // A symlink was made when the lock was taken. Other entries do not tell, and the directory's last change does only where
  // waiters make none.
  const changed = isSymlink ? status : surroundings.coherent ? lockDirectory : null
  const inspection: LinkInspection = {
    ...seen,
    state: verdict.state === 'dead' ? 'stale' : record === null ? 'unknown' : 'held',
    why: verdict.why,
    record,
    sameHost: record !== null && isSameHost(record, site.surroundings.me),
    sinceMs: changed?.ok ? changed.value.modifiedMs : null,
    heartbeatAgeMs: verdict.modifiedMs === null ? null : yield* heartbeatAge(site, verdict.modifiedMs),
  }
  return { kind: 'seen', inspection }
}

/** `null`: a directory, or it cannot be told. */
const inItsPlace = (status: Reply<FileStatus>): ForeignThing | null =>
  status.ok && status.value.type !== 'directory' ? whatIsNoDirectory(status.value) : null

/**
 * A listing that does not come from a cache: after a change of our own, where we may write, but only in what is a lock
 * of ours.
 */
function* listOurs(site: Site): Protocol<Reply<LockListing>> {
  const first = yield* listing(site)
  if (!first.ok || first.value.kind === null || site.surroundings.coherent) return first
  yield* ownChange(site.path)
  return yield* listing(site)
}

/** The age of the last heartbeat by the server's clock, asked for with a file of our own; `null` where we may not write. */
function* heartbeatAge(site: Site, beatenMs: number): Protocol<number | null> {
  const random = yield* ask.name()
  // Beside the lock: a change in its directory would look like a change of hands.
  const path = `${site.directory}/${lookName(random)}`
  const now = yield* ask.create(path, '', 0o600)
  if (!now.ok) return null
  yield* ask.unlink(path)
  return Math.max(0, now.value.serverMs - beatenMs)
}
