/**
 * The outer lock, which is theirs: a file at the public path that every form of Workbench respects, takes over when it is
 * released or old, and leaves as its own. It is written as the 2026 form writes it, except that its other name lies in our hidden
 * directory: a legacy session reads each regular file beside its lock as a document.
 *
 * To be called by the holder of our own lock only, in this order: `prepare`, which leaves a file that is kept open; then whatever
 * else the file needs before others see it (an fcntl lock); then `publish`, or `abandon`. In the end `retract`.
 *
 * What it guarantees: no name is removed but what was seen to be abandoned, released or ours; what is no lock of theirs is never
 * touched. What it does not: their own races stay (a legacy reaper removes whatever lies there by then), so a holder looks at the
 * public name for as long as it holds.
 */

import { basename, dirname, join } from 'node:path'
import { STICKY, WRITABLE_FOR_OTHERS } from '../drivers/permissions.js'
import { isAbsent } from '../protocol/doubt.js'
import { type KeptFile, lookAtName } from '../protocol/kept-file.js'
import { ask, type Failure, type Held, type Protocol, type Reply } from '../protocol/operations.js'
import { type Identity, identityAt, putBack, setAside } from './aside.js'
import { areValid, type Claiming, type Claims, giveBackClaims, removeDeadClaims, takeClaims } from './claims.js'
import { type Found, generationOfTarget, heldText, parseTheirName, RELEASED_TEXT, whatLies } from './format.js'
import { look, type Look } from './look.js'
import { isOwnAside, isOwnOwner, type Names, ownOwner } from './names.js'
import { isAbandoned } from './watch.js'

export interface Terms extends Claiming {
  /** The public path is to be a symbolic link. */
  useSymlinks: boolean
  /** A file at the public path has to be locked by fcntl before it may be replaced. */
  locksFirst: boolean
  /** Other users could swap what lies below {@link Names.base}. */
  isShared: boolean
}

/** A file that the caller has locked: which one it is, and as it was seen before. */
export interface Locked {
  /** Where it is: the public path, or where that leads. */
  path: string
  identity: Identity
  modifiedMs: number
}

/** Every reader takes process 1 for alive: so the file counts by its age alone, wherever it is read. */
const HELD_TEXT = heldText(1)
const OWNER_MODE = 0o644
/**
 * Where others may replace the file, they may lock it when it is released, as that of an advisory session. Not in a sticky
 * directory: to write to it would be more than they may do there.
 */
const ownerMode = (mode: number) => OWNER_MODE | ((mode & STICKY) === 0 ? mode & WRITABLE_FOR_OTHERS : 0)

export interface Prepared {
  held: Held
  /** The other name of the file. */
  owner: string
  claims: Claims
}

export type Refused =
  /** `holder`: in words. */
  | { kind: 'busy'; holder: string }
  /** It may be replaced, once it is locked: an advisory session locks whatever file lies there, be it released or old. */
  | { kind: 'to-lock'; file: Locked }
  /** An empty file, as an advisory session has it. */
  | { kind: 'advisory' }
  /** It is no lock of theirs. */
  | { kind: 'foreign'; what: string }
  | (Failure & { kind: 'failed'; action: 'create' | 'hard-link' | 'symlink' | 'rename' | 'stat' | 'open'; path: string })

export type PrepareOutcome = (Prepared & { kind: 'prepared' }) | Refused

/** `locked`: what this process has locked meanwhile. */
export function* prepare(terms: Terms, locked: Locked | null): Protocol<PrepareOutcome> {
  const { names } = terms
  const left = yield* tidy(terms)
  const before = yield* judge(terms, left, locked)
  if (before.kind !== 'free') return before
  const directory = yield* ask.stat(names.directory)
  if (!directory.ok) return failed('stat', names.directory, directory)
  const claimed = yield* takeClaims(terms, directory.value.mode)
  if (claimed.kind === 'busy')
    return { kind: 'busy', holder: 'a process that has claimed it, probably a session of Workbench that takes it just now' }
  if (claimed.kind === 'failed') return failed('create', claimed.path, claimed)
  const { claims } = claimed
  const prepared = yield* replace(terms, claims, { left, locked, mode: directory.value.mode })
  if (prepared.kind !== 'prepared') yield* giveBackClaims(terms, claims)
  return prepared
}

const CLAIM_LOST: Refused = { kind: 'busy', holder: 'a process that took our claim away, probably a session of Workbench' }

interface Circumstances {
  /** What dead holders of ours left. */
  left: ReadonlySet<Identity>
  locked: Locked | null
  /** Of the directory. */
  mode: number
}

/** With both claims. */
function* replace(terms: Terms, claims: Claims, { left, locked, mode }: Circumstances): Protocol<PrepareOutcome> {
  const { names, pid } = terms
  const now = yield* judge(terms, left, locked)
  if (now.kind !== 'free') return now
  if (!(yield* areValid(terms, claims))) return CLAIM_LOST
  if (now.identity !== null) {
    const otherName = yield* otherNameOf(names, now.looked)
    const { looked } = now
    const removed = yield* setAside(names.path, now.identity, pid, (aside) => isAsBefore(aside, looked))
    if (removed === 'mismatch') return { kind: 'busy', holder: 'another process, which was faster' }
    if (typeof removed !== 'string') return failed('rename', names.path, removed)
    if (otherName !== null) yield* setAside(otherName.path, otherName.identity, pid)
  }
  yield* removeDeadOwners(names)
  const owner = ownOwner(names, yield* ask.name())
  const held = yield* ask.hold(owner, HELD_TEXT, ownerMode(mode))
  if (held.ok) return { kind: 'prepared', held: held.value, owner, claims }
  yield* ask.unlink(owner) // where it was made and could not be filled
  return failed('create', owner, held)
}

/** `identity`: of the name itself. */
type Verdict = { kind: 'free'; identity: null } | { kind: 'free'; identity: Identity; looked: Look } | Refused

const within = ({ names, isShared }: Terms): string | null => (isShared ? names.base : null)

/** May what lies at the public path be replaced? */
function* judge(terms: Terms, left: ReadonlySet<Identity>, locked: Locked | null): Protocol<Verdict> {
  const { path } = terms.names
  // To open what this process has locked, and to close it, would drop the lock.
  const identity = yield* identityAt(path)
  if (locked !== null && identity !== null && typeof identity === 'string') return yield* judgeLocked(path, identity, locked)
  // Identity first: what is read later may be of another file, and must remove neither.
  const looked = yield* look(path, within(terms))
  if (!looked.ok) return failed('stat', path, looked)
  const { seen, status } = looked.value
  const found: Found = whatLies(seen)
  if (found.kind === 'nothing' || status === null) return { kind: 'free', identity: null }
  if (identity === null) return { kind: 'busy', holder: 'another process, which is at work on it' }
  if (typeof identity !== 'string') return failed('stat', path, identity)
  const inode = `${status.dev}:${status.ino}`
  const free = (): Verdict => {
    const isFile = seen.kind === 'file' && terms.locksFirst
    if (!isFile) return { kind: 'free', identity, looked: looked.value }
    return { kind: 'to-lock', file: { path: seen.target ?? path, identity: inode, modifiedMs: status.modifiedMs } }
  }
  switch (found.kind) {
    case 'advisory':
      return terms.locksFirst ? free() : { kind: 'advisory' }
    case 'foreign':
      return { kind: 'foreign', what: `it is ${found.what}` }
    case 'unreadable':
      return { kind: 'foreign', what: 'it is a file that this user may not read' }
    case 'link': {
      if (found.isReleased || left.has(inode)) return free()
      const state = `${inode} ${found.modifiedMs} ${found.pid}`
      if (yield* isAbandoned(path, state, terms.timeoutMs)) return free()
      return { kind: 'busy', holder: `Workbench, by a process ${found.pid ?? ''} of a host that its lock does not name` }
    }
  }
}

/** To open a file that this process has locked, and to close it, would drop the lock: it has to be as it was. */
function* judgeLocked(path: string, identity: Identity, locked: Locked): Protocol<Verdict> {
  const status = yield* ask.stat(path)
  const target = status.ok && status.value.type === 'symlink' ? yield* ask.readlink(path) : null
  const isThere = target === null ? path === locked.path : target.ok && target.value === locked.path
  const file = target === null ? status : yield* ask.stat(locked.path)
  const isSame = file.ok && `${file.value.dev}:${file.value.ino}` === locked.identity
  if (!isThere || !isSame || file.value.modifiedMs !== locked.modifiedMs)
    return { kind: 'busy', holder: 'another process, which was faster' }
  const text = new Uint8Array()
  const seen = { kind: 'file' as const, target: target?.ok === true ? target.value : null, text, modifiedMs: locked.modifiedMs }
  return { kind: 'free', identity, looked: { seen, status: file.value } }
}

/**
 * What was set aside is what was looked at: no refresh has come since, and no session has made the file that a link led to in
 * vain. It is not opened: to close it would drop the lock that this process may have on it.
 */
function* isAsBefore(aside: string, { seen, status }: Look): Protocol<boolean> {
  const link = yield* ask.readlink(aside)
  const target = seen.kind === 'dangling' || seen.kind === 'file' ? seen.target : null
  if (target !== (link.ok ? link.value : null)) return false
  const now = yield* ask.stat(target ?? aside)
  if (seen.kind === 'dangling') return !now.ok && isAbsent(now.code)
  return now.ok && status !== null && now.value.ino === status.ino && now.value.modifiedMs === status.modifiedMs
}

/** The other name of a lock of theirs that is about to be removed, beside it; `null`: it has none. */
function* otherNameOf({ directory }: Names, { seen, status }: Look): Protocol<{ path: string; identity: Identity } | null> {
  if (status === null || seen.kind !== 'file') return null
  const identity = `${status.dev}:${status.ino}`
  if (seen.target !== null) {
    const isTheirs = dirname(seen.target) === directory && generationOfTarget(seen.target) !== null
    return isTheirs ? { path: seen.target, identity } : null
  }
  if (status.links < 2) return null
  for (const name of yield* namesIn(directory, isOtherName)) {
    const path = join(directory, name)
    if ((yield* identityAt(path)) === identity) return { path, identity }
  }
  return null
}

const isOtherName = (name: string) => ['owner', 'proxy'].includes(parseTheirName(name)?.kind ?? '')

/**
 * A holder of our own lock finds only leftovers of the dead. Owner files stay until what they published is replaced. @returns the
 * files that dead holders of ours published, or were about to
 */
function* tidy(terms: Terms): Protocol<ReadonlySet<Identity>> {
  const { names } = terms
  const owners = new Set<Identity>()
  for (const name of yield* namesIn(names.hidden, isOwnOwner)) {
    const identity = yield* identityAt(join(names.hidden, name))
    if (typeof identity === 'string') owners.add(identity)
  }
  const hadClaims = yield* removeDeadClaims(terms)
  if (!hadClaims && owners.size === 0) return owners
  for (const directory of [names.directory, names.claims]) yield* putBackAsides(terms, directory, owners)
  if (hadClaims) yield* ask.rmdir(names.claims) // not if others use it
  return owners
}

/** What a dead holder had set aside: its own goes, and what may be a lock that lives goes back to its place if that is free. */
function* putBackAsides(terms: Terms, directory: string, owners: ReadonlySet<Identity>): Protocol<void> {
  const { path } = terms.names
  for (const name of yield* namesIn(directory, isOwnAside)) {
    const aside = join(directory, name)
    const looked = yield* look(aside, within(terms))
    if (!looked.ok || looked.value.status === null) continue
    const { seen, status } = looked.value
    const found = whatLies(seen)
    const isOver = owners.has(`${status.dev}:${status.ino}`) || (found.kind === 'link' && found.isReleased)
    if (directory === dirname(path) && !isOver) yield* putBack(aside, join(directory, basename(path)))
    yield* ask.unlink(aside)
  }
}

function* removeDeadOwners({ hidden }: Names): Protocol<void> {
  for (const name of yield* namesIn(hidden, isOwnOwner)) yield* ask.unlink(join(hidden, name))
}

/**
 * Leftovers looked at in one try: what lies there may have been put there to keep us busy, and the next try goes on. Chosen, as
 * of a patrol.
 */
const LOOKS_MAX = 100

function* namesIn(directory: string, isWanted: (name: string) => boolean): Protocol<string[]> {
  const listed = yield* ask.list(directory)
  return listed.ok ? listed.value.filter(isWanted).slice(0, LOOKS_MAX) : []
}

export type PublishOutcome = { kind: 'published' } | Refused

/** Gives the file its public name. When that fails nothing is left, and the file is closed. */
export function* publish(terms: Terms, prepared: Prepared): Protocol<PublishOutcome> {
  const { names, useSymlinks } = terms
  const { owner, claims } = prepared
  if (!(yield* isInPlace(prepared)) || !(yield* areValid(terms, claims))) {
    yield* abandon(terms, prepared)
    return CLAIM_LOST
  }
  const linked = useSymlinks ? yield* ask.symlink(owner, names.path) : yield* ask.link(owner, names.path)
  // Whatever was answered: the name tells.
  const name = yield* lookAtName(keptFile(terms, prepared, false))
  if (name !== 'kept') {
    if (name === 'unknown') yield* ask.overwrite(prepared.held.file, RELEASED_TEXT, 0) // it may be public
    yield* abandon(terms, prepared)
    if (name === 'unknown' && linked.ok) return failed('stat', names.path, { ok: false, code: 'EIO' })
    if (linked.ok || linked.code === 'EEXIST') return { kind: 'busy', holder: 'another process, which was faster' }
    return failed(useSymlinks ? 'symlink' : 'hard-link', names.path, linked)
  }
  if (!(yield* areValid(terms, claims))) {
    yield* retract(keptFile(terms, prepared, false), owner, terms.pid)
    yield* giveBackClaims(terms, claims)
    return CLAIM_LOST
  }
  yield* giveBackClaims(terms, claims)
  return { kind: 'published' }
}

/** What is refreshed from now on. */
export function keptFile({ names, useSymlinks }: Terms, { held, owner }: Prepared, isLocked: boolean): KeptFile {
  const { file, dev, ino } = held
  return { file, dev, ino, text: HELD_TEXT, path: names.path, target: useSymlinks ? owner : null, isLocked }
}

function* isInPlace({ held, owner }: { held: Pick<Held, 'dev' | 'ino'>; owner: string }): Protocol<boolean> {
  return (yield* identityAt(owner)) === `${held.dev}:${held.ino}`
}

/** Undoes {@link prepare}. */
export function* abandon(terms: Terms, prepared: Prepared): Protocol<void> {
  const { held, owner, claims } = prepared
  yield* ask.drop(held.file)
  if (yield* isInPlace(prepared)) yield* ask.unlink(owner)
  yield* giveBackClaims(terms, claims)
}

/**
 * Releases: through the descriptor, so that only our own file is marked, whatever its public name means by then. The public name
 * stays, as theirs does; but a link goes, as long as no session may replace it: it would lead into a directory that is gone,
 * where an advisory session cannot make its file. Where the file cannot be marked, its other name stays: the next holder of our
 * own lock goes by that.
 */
export function* retract({ file, dev, ino, path, target }: KeptFile, owner: string, pid: number): Protocol<Reply<unknown>> {
  if (target !== null) {
    const link = yield* identityAt(path)
    const isOurs = (yield* lookAtName({ path, target })) === 'kept'
    if (isOurs && typeof link === 'string') yield* setAside(path, link, pid)
  }
  const marked = yield* ask.overwrite(file, RELEASED_TEXT, 0)
  yield* ask.drop(file)
  if (!marked.ok) return marked
  if (!(yield* isInPlace({ held: { dev, ino }, owner }))) return { ok: true, value: null } // others could swap the directory
  const removed = yield* ask.unlink(owner)
  return removed.ok || isAbsent(removed.code) ? { ok: true, value: null } : removed
}

function failed(action: (Refused & { kind: 'failed' })['action'], path: string, failure: Failure): Refused & { kind: 'failed' } {
  return { ...failure, kind: 'failed', action, path }
}
