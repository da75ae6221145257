/**
 * The two claims of the 2026 form: which process may take over and publish. Ours are two names of one file in our hidden
 * directory, where the file system has hard links: so the next holder of our own lock knows at once which claims a dead one left.
 */

import { isAbsent, provesNothingDone } from '../protocol/doubt.js'
import { ask, type Failure, type Protocol } from '../protocol/operations.js'
import { heldText, RELEASED_TEXT } from './format.js'
import { type Identity, identityAt, setAside } from './aside.js'
import type { Names } from './names.js'
import { isAbandoned } from './watch.js'

export interface Claiming {
  names: Names
  pid: number
  /** Their `timeout-interval`. */
  timeoutMs: number
}

export interface Claims {
  first: Identity
  second: Identity
  /** We made the directory of the second one. */
  isDirectoryOurs: boolean
}

export type ClaimsOutcome = { kind: 'taken'; claims: Claims } | { kind: 'busy' } | (Failure & { kind: 'failed'; path: string })

const MODE = 0o644
/**
 * What the directory of the claims has of the directory around it, as theirs: the group is passed on, and it is never sticky, for
 * each session removes the abandoned claims of others.
 */
const SHARED = 0o2777
/** A 2026 process removes the directory of the claims when it is empty and not to its liking. */
const ROUNDS_MAX = 16

/** `directoryMode`: of the directory that the public path lies in. */
export function* takeClaims(claiming: Claiming, directoryMode: number): Protocol<ClaimsOutcome> {
  const { names, pid } = claiming
  const made = yield* ask.create(names.claim, heldText(pid), MODE)
  if (!made.ok) {
    yield* ask.unlink(names.claim) // where it was made and could not be filled
    return failed(names.claim, made)
  }
  const first = yield* claim(claiming, names.firstClaim)
  if (typeof first !== 'string') return yield* giveUp(claiming, first)
  let isDirectoryOurs = false
  for (let round = 1; ; round++) {
    const directory = yield* ask.mkdir(names.claims, (directoryMode & SHARED) | 0o300)
    if (directory.ok) isDirectoryOurs = true
    else if (directory.code !== 'EEXIST') {
      yield* ask.rmdir(names.claims) // it may have been made all the same; theirs is made again
      return yield* giveUp(claiming, failed(names.claims, directory), first)
    }
    const second = yield* claim(claiming, names.secondClaim)
    if (typeof second === 'string') return { kind: 'taken', claims: { first, second, isDirectoryOurs } }
    const isGone = second.kind === 'failed' && (isAbsent(second.code) || second.code === 'ESTALE')
    if (isGone && round < ROUNDS_MAX) continue
    if (isDirectoryOurs) yield* ask.rmdir(names.claims)
    return yield* giveUp(claiming, second, first)
  }
}

type NoClaim = Exclude<ClaimsOutcome, { kind: 'taken' }>

function* giveUp({ names }: Claiming, outcome: NoClaim, first?: Identity): Protocol<NoClaim> {
  if (first !== undefined) yield* removeOwn(names.firstClaim, first)
  yield* ask.unlink(names.claim)
  return outcome
}

/** One claim, in the place of an abandoned one too. */
function* claim(claiming: Claiming, path: string): Protocol<Identity | NoClaim> {
  for (let round = 1; ; round++) {
    const made = yield* make(claiming, path)
    if (made === null) {
      const identity = yield* identityAt(path)
      return typeof identity === 'string' ? identity : { kind: 'busy' }
    }
    if (made.code !== 'EEXIST') return failed(path, made)
    const way = yield* takeAway(claiming, path)
    if (way !== 'taken away') return way
    if (round === 2) return { kind: 'busy' }
  }
}

const NO_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EXDEV'])

/** `null`: it is made. An answer that was lost is no matter: the name is looked up. */
function* make({ names, pid }: Claiming, path: string): Protocol<Failure | null> {
  const linked = yield* ask.link(names.claim, path)
  if (linked.ok) return null
  const [own, there] = [yield* identityAt(names.claim), yield* identityAt(path)]
  if (typeof own === 'string' && own === there) return null
  if (!NO_LINKS.has(linked.code)) return linked
  const created = yield* ask.create(path, heldText(pid), MODE)
  return created.ok ? null : created
}

/** A claim on which no process works any more. In a sticky directory those of others stay, and that is told. */
function* takeAway({ pid, timeoutMs }: Claiming, path: string): Protocol<'taken away' | NoClaim> {
  const status = yield* ask.stat(path)
  if (!status.ok || status.value.type !== 'file') return { kind: 'busy' }
  const { dev, ino, modifiedMs } = status.value
  const contents = yield* ask.read(path, true)
  if (!contents.ok) return { kind: 'busy' }
  const { text } = contents.value
  const isOver = text === RELEASED_TEXT || (yield* isAbandoned(path, `${dev}:${ino} ${modifiedMs} ${text}`, timeoutMs))
  if (!isOver) return { kind: 'busy' }
  const outcome = yield* setAside(path, `${dev}:${ino}`, pid)
  if (outcome === 'mismatch') return { kind: 'busy' }
  return typeof outcome !== 'string' && provesNothingDone(outcome.code) ? failed(path, outcome) : 'taken away'
}

/** Are both still ours? */
export function* areValid({ names }: Claiming, { first, second }: Claims): Protocol<boolean> {
  return (yield* identityAt(names.firstClaim)) === first && (yield* identityAt(names.secondClaim)) === second
}

export function* giveBackClaims({ names }: Claiming, { first, second, isDirectoryOurs }: Claims): Protocol<void> {
  yield* removeOwn(names.secondClaim, second)
  if (isDirectoryOurs) yield* ask.rmdir(names.claims) // not if others use it
  yield* removeOwn(names.firstClaim, first)
  yield* ask.unlink(names.claim)
}

/**
 * A claim lasts moments. Another process replaces it only after a whole interval; if that has passed, it counts as abandoned.
 */
function* removeOwn(path: string, identity: Identity): Protocol<void> {
  if ((yield* identityAt(path)) === identity) yield* ask.unlink(path)
}

/** What a dead holder of ours left of its claims. @returns whether it left any */
export function* removeDeadClaims({ names }: Claiming): Protocol<boolean> {
  const left = yield* identityAt(names.claim)
  if (typeof left !== 'string') return false
  for (const path of [names.secondClaim, names.firstClaim]) yield* removeOwn(path, left)
  yield* ask.unlink(names.claim)
  return true
}

const failed = (path: string, failure: Failure): NoClaim & { kind: 'failed' } => ({ ...failure, kind: 'failed', path })
