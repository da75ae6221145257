/** Each safety step of the link-based protocol, and what the source looks like without it. */

import type { Mutation } from './mutations.js'

const RETIRE_BEFORE = `if (elapsedMs(session.lastBeat, beatTime(start, session.lastBeat.serverMs)) > lease) return { kind: 'retired' }`
const RETIRE_AFTER = `if (elapsedMs(session.lastBeat, beatTime(end, serverMs)) > lease) return { kind: 'retired' }`

/** No set, but the lives in which one change after the other is done and answered with an error. */
export const REFUSALS = 'each change done and refused'
const STAND_STILL = '2 × 1, machines stand still'
const TIME_PASSES = '2 × 1, time passes, replies take theirs, clocks apart and of different pace'

/**
 * For the exhaustive search alone: an attempt ends where the next one would go on with the same memory. Nothing is lost by
 * it (what an attempt carries over from one look to the next is in its memory), and many states become one.
 */
export const SHORT_ATTEMPTS = [
  { file: 'acquire', from: 'const LOOKS_MAX = 8', to: 'const LOOKS_MAX = 1' },
  {
    file: 'acquire',
    from: "if (outcome !== 'beaten') return outcome\n",
    to: "return outcome === 'beaten' ? busyBecauseBeaten(known + 1n) : outcome\n",
  },
  {
    file: 'dissolve',
    from: 'for (let round = 0; round < ROUNDS_MAX; round++) {\n    const listed = yield* ask.list(site.path)\n    if (!listed.ok) return isAbsent',
    to: 'for (let round = 0; round < 1; round++) {\n    const listed = yield* ask.list(site.path)\n    if (!listed.ok) return isAbsent',
  },
  { file: 'succession', from: 'const TICK_LOOKS_MAX = 500', to: 'const TICK_LOOKS_MAX = 1' },
]

export const MUTATIONS: Mutation[] = [
  {
    name: 'no second listing',
    edits: [
      { file: 'acquire', from: '  if (site.claim.isConfirmedByListing) {', to: '  if (site.claim.name === ("" as string)) {' },
    ],
    caughtIn: '2 × 3, lost replies',
    redundantBecause: null,
  },
  {
    name: 'second listing from a cache after a lost reply',
    edits: [
      { file: 'acquire', from: 'changedNow ? yield* listing(site) : yield* freshListing(site)', to: 'yield* listing(site)' },
    ],
    caughtIn: '2 × 2, listings from caches, lost replies',
    redundantBecause: null,
  },
  {
    name: 'a listing in pieces counts',
    edits: [{ file: 'names', from: '  listing.crowded ||= names.length - Number(listing.isWaitedFor) > ENTRIES_MAX\n', to: '' }],
    caughtIn: '2 × 2, listings in pieces',
    redundantBecause: null,
  },
  {
    name: 'what is below stays for a while where a listing is made name by name',
    edits: [
      { file: 'acquire', from: '    if (!site.surroundings.listsAtOnce) {', to: '    if (site.claim.name === ("" as string)) {' },
    ],
    caughtIn: '2 × 3, listings name by name',
    redundantBecause: null,
  },
  {
    name: 'only what the last listing shows below is removed, from the highest downwards',
    edits: [
      {
        file: 'settle',
        from: 'of ascending(new Set([...from.below, from.entry, ...below]))',
        to: 'of [...below].reverse()',
      },
    ],
    caughtIn: '2 × 3, listings name by name',
    redundantBecause: null,
  },
  {
    name: 'no floor',
    edits: [
      {
        file: 'acquire',
        from: "return listing.highest < site.memory.floor ? { kind: 'foreign', what: 'backwards' } : null",
        to: 'return null',
      },
    ],
    caughtIn: null,
    redundantBecause: 'the second listing finds what the floor would have; the floor saves the attempt',
  },
  {
    name: 'given back by unlink',
    edits: [
      {
        file: 'settle',
        from: 'const renamed = yield* rename(site, entry, unsettled.generation)',
        to: 'const renamed = yield* ask.unlink(`${site.path}/${entry}`)',
      },
    ],
    caughtIn: '2 × 1, given up, late and twice',
    redundantBecause: null,
  },
  {
    name: 'released by unlink',
    edits: [
      {
        file: 'settle',
        from: 'const renamed = yield* rename(site, entry, held.generation)',
        to: 'const renamed = yield* ask.unlink(`${site.path}/${entry}`)',
      },
    ],
    caughtIn: '2 × 3, lost replies',
    redundantBecause: null,
  },
  {
    name: 'released is what is highest, not a name used once',
    edits: [
      {
        file: 'settle',
        from: '  const renamed = yield* rename(site, entry, held.generation)\n  if (renamed.ok) {\n',
        to: '  const top = yield* listing(site)\n  const renamed = yield* rename(site, top.ok ? top.value.entry : entry, (top.ok ? top.value.highest : null) ?? held.generation)\n  if (renamed.ok) {\n',
      },
    ],
    caughtIn: '2 × 3, lost replies',
    redundantBecause: null,
  },
  {
    name: 'EEXIST taken for ours',
    edits: [
      {
        file: 'acquire',
        from: "return isOurs ? { kind: 'held', entry } : { kind: 'of-another' }",
        to: "return { kind: 'held', entry }",
      },
    ],
    caughtIn: '2 × 3, lost replies',
    redundantBecause: null,
  },
  {
    name: 'a retired session goes on',
    edits: [
      { file: 'session', from: RETIRE_BEFORE, to: '' },
      { file: 'session', from: RETIRE_AFTER, to: '' },
    ],
    caughtIn: TIME_PASSES,
    redundantBecause: null,
  },
  {
    name: 'the dead told by the age of mtime',
    edits: [
      {
        file: 'judge',
        from: 'const silent = yield* observe({ keys, beat, modifiedMs, timeoutIntervalMs }, before.ownMs, surroundings)',
        to: 'void [beat, keys]\n  const silent = before.wallMs - modifiedMs >= silenceMs(timeoutIntervalMs)',
      },
    ],
    caughtIn: TIME_PASSES,
    redundantBecause: null,
  },
  {
    name: 'kind marker not looked at',
    edits: [
      { file: 'acquire', from: 'if (listing.kind !== site.claim.kind) return', to: 'if (listing.kind === null) return' },
      { file: 'acquire', from: 'const counts = seen.kind === site.claim.kind && ', to: 'const counts = ' },
    ],
    caughtIn: '2 × 1, two kinds of lock',
    redundantBecause: null,
  },
  {
    name: "the server's clock not asked whether the machine stood still",
    edits: [{ file: 'lease', from: 'to.wallMs - from.wallMs, to.serverMs - from.serverMs)', to: 'to.wallMs - from.wallMs)' }],
    caughtIn: STAND_STILL,
    redundantBecause: null,
  },
  {
    name: 'heartbeat counter not compared',
    edits: [{ file: 'judge', from: 'seen.beat === beat && ', to: '' }],
    caughtIn: TIME_PASSES,
    redundantBecause: null,
  },
  {
    name: 'time stamp of the heartbeat not compared',
    edits: [{ file: 'judge', from: ' && seen.modifiedMs === modifiedMs', to: '' }],
    caughtIn: '2 × 1, time passes, heartbeats late and twice',
    redundantBecause: null,
  },
  {
    name: 'a missing session file believed from the cache',
    edits: [{ file: 'judge', from: "if (coherent) return 'dangling'", to: "return 'dangling'" }],
    caughtIn: '2 × 1, symlinks, names from caches',
    redundantBecause: null,
  },
  {
    name: 'lease from the end of the heartbeat',
    edits: [
      { file: 'session', from: 'session.lastBeat = beatTime(start, serverMs)', to: 'session.lastBeat = beatTime(end, serverMs)' },
    ],
    caughtIn: TIME_PASSES,
    redundantBecause: null,
  },
  {
    name: 'no margin between lease and conviction',
    edits: [{ file: 'lease', from: 'timeoutIntervalMs * (1 - MARGIN)', to: 'timeoutIntervalMs * (1 + MARGIN)' }],
    caughtIn: TIME_PASSES,
    redundantBecause: null,
  },
  {
    name: 'lease not looked at in the end',
    edits: [
      {
        file: 'acquire',
        from: "  // The last questions before it is ours.\n  if ((yield* ask.lease(session.record.id)) <= 0) return { kind: 'session-spent', why: 'lease' }\n",
        to: '',
      },
    ],
    caughtIn: TIME_PASSES,
    redundantBecause: null,
  },
  {
    name: 'unknown outcomes forgotten',
    edits: [
      {
        file: 'settle',
        from: "if ((yield* settle(site, unsettled)).kind !== 'settled') site.memory.unsettled = unsettled\n",
        to: '\n',
      },
      { file: 'settle', from: '  site.memory.unsettled = held\n  return', to: '  return' },
      { file: 'acquire', from: '  site.memory.unsettled = unsettled\n  if (failure', to: '  if (failure' },
    ],
    caughtIn: '2 × 2, time-outs, lost replies',
    redundantBecause: null,
  },
  {
    name: 'a draft emptied by its old name',
    edits: [
      {
        file: 'create-lock',
        from: '  yield* discardMoved(site.directory, draft)\n',
        to: '  yield* discard(draft, [first, marker], null)\n',
      },
    ],
    caughtIn: '2 × 1, created, names of drafts from caches, lost replies',
    redundantBecause: null,
  },
  {
    name: 'others told of the end before the holder',
    edits: [RETIRE_BEFORE, RETIRE_AFTER].map((from) => ({
      file: 'session',
      from,
      to: `${from.replace('return', '{ yield* endSession(session); return')} }`,
    })),
    caughtIn: STAND_STILL,
    redundantBecause: null,
  },
  {
    name: 'the present holder is broken, and not the one that was meant',
    edits: [
      {
        file: 'maintain',
        from: "if (highest !== generation) return { kind: 'other-token', highest }",
        to: 'generation = highest',
      },
    ],
    caughtIn: '2 × 2 beside an administrator that breaks, lost replies',
    redundantBecause: null,
  },
  {
    name: 'no look after the marker is taken',
    edits: [
      {
        file: 'dissolve',
        from: '    const holder = yield* holderOf(site, listing)\n    if (holder !== null) return yield* putBack(',
        to: '    const holder = null\n    if (holder !== null) return yield* putBack(',
      },
    ],
    caughtIn: '2 × 1, change of type, lost replies',
    redundantBecause: null,
  },
  {
    name: 'a lock taken away before its next number would be higher',
    edits: [{ file: 'succession', from: 'if (next > last) return null', to: 'return null' }],
    caughtIn: '2 × 1 beside an administrator that prunes, created',
    redundantBecause: null,
  },
  {
    name: 'drafts left beside a lock that is taken away',
    edits: [{ file: 'succession', from: 'of drafts.slice(0, DRAFTS_MAX)', to: 'of []' }],
    caughtIn: '2 × 1 beside an administrator that prunes, created',
    redundantBecause: null,
  },
  {
    name: 'EIO not in doubt',
    edits: [{ file: 'doubt', from: 'const PROOFS = new Set([', to: "const PROOFS = new Set([\n  'EIO'," }],
    caughtIn: REFUSALS,
    redundantBecause: null,
  },
  {
    name: 'in doubt is only what was thought of',
    edits: [
      {
        file: 'doubt',
        from: 'return !provesNothingDone(code) ||',
        to: "return ['EIO', 'ESTALE', 'ETIMEDOUT', 'EEXIST', 'ENOENT'].includes(code) ||",
      },
    ],
    caughtIn: REFUSALS,
    redundantBecause: null,
  },
  {
    name: 'what is in doubt not settled at the heartbeats',
    edits: [
      {
        file: 'settle',
        from: '  const { kind } = yield* settle(lock.view, lock.unsettled)\n',
        to: "  const kind = 'absent' as Settlement['kind']\n",
      },
    ],
    caughtIn: REFUSALS,
    redundantBecause: null,
  },
  {
    name: 'a lost lock reported as released',
    edits: [
      {
        file: 'settle',
        from: "return { kind: 'lost', reason: found.isFree ? 'broken' : 'taken-over' }",
        to: "return (yield* ask.lease(held.sessionId)) > 0 ? { kind: 'released' } : { kind: 'lost', reason: 'taken-over' }",
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'a spent session not given back',
    edits: [
      {
        file: 'acquire',
        from: "if (counted.kind !== 'acquired') yield* giveBack",
        to: "if (counted.kind !== 'acquired' && counted.kind !== 'session-spent') yield* giveBack",
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'rename over an empty directory',
    edits: [
      {
        file: 'create-lock',
        from: "if (present.ok || present.code !== 'ENOENT') return yield* discard(draft, [first, marker], present.ok ? null : present)",
        to: '',
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'a change of our own in the empty directory of another library',
    edits: [{ file: 'acquire', from: 'isWanted && memory.isMarked && ', to: 'isWanted && memory.isDirectory && ' }],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'a change of our own that fails taken for a missing lock',
    edits: [
      {
        file: 'settle',
        from: "return isAbsent(changed.code) ? { ok: false, code: 'EIO', error: changed.error } : changed",
        to: 'return changed',
      },
    ],
    caughtIn: REFUSALS,
    redundantBecause: null,
  },
  {
    name: 'a failed change of our own ignored',
    edits: [
      {
        file: 'judge',
        from: 'return created.ok || removed.ok ? { ok: true, value: undefined } : created',
        to: 'return { ok: true, value: undefined }',
      },
    ],
    caughtIn: '2 × 1, listings from caches, time-outs',
    redundantBecause: null,
  },
  {
    name: 'verify left out',
    edits: [
      {
        file: 'acquire',
        from: 'if (site.claim.verify !== undefined && !(yield* site.claim.verify(session, from)))',
        to: 'if (site.claim.verify === null)',
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'the disk below believed where the share is not mounted',
    edits: [
      {
        file: 'settle',
        from: "seen.kind === 'unknown' || view.dev === undefined) return seen",
        to: "seen.kind === 'unknown' || view.path !== '') return seen",
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'leftovers removed at the second look',
    edits: [{ file: 'patrol', from: 'if (ownMs - seen.sinceMs < LEFTOVER_MS) return false', to: '' }],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'unknown entries swept',
    edits: [
      {
        file: 'settle',
        from: 'export const leftoversIn = ({ kind, below, looks }: LockListing): string[] => (kind === null ? [] : [...below, ...looks])',
        to: 'export const leftoversIn = ({ kind, below, looks, unknown }: LockListing): string[] => (kind === null ? [] : [...below, ...looks, ...unknown])',
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'EPERM proves something on SFTP too',
    edits: [{ file: 'doubt', from: " || (code === 'EPERM' && !coherent)", to: '' }],
    caughtIn: REFUSALS,
    redundantBecause: null,
  },
  {
    name: 'a start time seen by another clock proves a death',
    edits: [{ file: 'record', from: '    isKnownToBeSame(other.timeNamespace, me.timeNamespace) &&\n', to: '' }],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'a burial that failed not noticed',
    edits: [
      {
        file: 'session',
        from: '  if (!marked.ok && !(yield* isWithoutLinks(path, marked.code))) return false\n',
        to: '',
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'a burial without marking',
    edits: [
      {
        file: 'session',
        from: 'const marked = yield* ask.rewrite(path, recordMark(record.id), encodeRecord(record))',
        to: 'const marked = { ok: true }',
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'an absent session forgotten',
    edits: [
      {
        file: 'patrol',
        from: '  forgetAbsent(leftovers, listed.value)\n',
        to: '  for (const id of surroundings.observations.keys())\n    if (!sessions.some((name) => name.endsWith(id.slice(-16)))) surroundings.observations.delete(id)\n',
      },
    ],
    caughtIn: null,
    redundantBecause: null,
  },
  {
    name: 'cleaned up from the top',
    edits: [{ file: 'settle', from: 'of below.slice(0, REMOVED_AT_ONCE_MAX)', to: 'of [...below].reverse()' }],
    caughtIn: null,
    redundantBecause: 'all of them are lower than a generation that was seen, in any order',
  },
]
