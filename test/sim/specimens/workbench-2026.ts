/** The 2026 form: two claims around each takeover, refresh and release through a descriptor. A holder does not notice that it was reaped. */

import { crc32 } from 'node:zlib'
import type { Held, Reply } from '../../../src/protocol/operations.js'
import type { Program } from '../process.js'
import {
  baseOf,
  contents,
  directoryOf,
  follow,
  type Form,
  type Holding,
  identity,
  isOld,
  isProcess,
  list,
  remove,
  type Session,
  status,
  TAG,
  wallMs,
} from './workbench.js'

const OWNER = `.rstudio-lock-owner-${TAG}-`
const ASIDE = `.rstudio-lock-tmp-${TAG}-`
const CLAIM = `.rstudio-lock-claim-${TAG}-`
const LEGACY = `.rstudio-lock-${TAG}-`
const CLAIMS = `.rstudio-lock-claims-${TAG}`
const RELEASED = '-1\n'
/** How many intervals a live process has. */
const GRACE = 10

function* uuid(): Program<string> {
  return ((yield { op: 'name' }) as string) + ((yield { op: 'name' }) as string)
}

interface Seen {
  identity: string
  isStale: boolean
}

/** `null`: nothing is there; `error`: it is no file. */
function* inspect(path: string, session: Session): Program<Seen | 'error' | null> {
  const found = yield* follow(path)
  if (found === null) return null
  if (found === 'dangling') return { identity: (yield* identity(path)) ?? '', isStale: true }
  if (found.status.type !== 'file') return 'error'
  const seen = `${found.status.dev}:${found.status.ino}`
  const text = (yield* contents(found.real))?.trim() ?? ''
  if (text === '-1') return { identity: seen, isStale: true }
  const { timeoutMs, isLoadBalanced } = session
  const pid = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : null
  const { modifiedMs } = found.status
  if (isLoadBalanced || pid === null) return { identity: seen, isStale: yield* isOld(modifiedMs, timeoutMs) }
  if (!(yield* isProcess(pid))) return { identity: seen, isStale: true }
  return { identity: seen, isStale: yield* isOld(modifiedMs, timeoutMs * GRACE) }
}

/** Of what the name leads to; of a dangling link the link's own. */
function* meant(path: string): Program<string | null> {
  const found = yield* follow(path)
  if (found === 'dangling') return yield* identity(path)
  return found === null ? null : `${found.status.dev}:${found.status.ino}`
}

function* setAside(path: string, is: string, { pid }: Session): Program<'removed' | 'absent' | 'mismatch'> {
  const before = yield* meant(path)
  if (before !== is) return before === null ? 'absent' : 'mismatch'
  const aside = `${directoryOf(path)}/${ASIDE}${pid}-${yield* uuid()}`
  const renamed = (yield { op: 'rename', from: path, to: aside }) as Reply<void>
  if (!renamed.ok) return 'absent'
  if ((yield* meant(aside)) === is) {
    yield* remove(aside)
    return 'removed'
  }
  const back = (yield { op: 'link', from: aside, to: path }) as Reply<void>
  if (back.ok) yield* remove(aside)
  return 'mismatch'
}

/** One claim. `null`: not had. */
function* claim(path: string, session: Session): Program<string | null> {
  for (let round = 0; round < 2; round++) {
    const made = (yield { op: 'create', path, text: `${session.pid}\n`, mode: 0o644 }) as Reply<unknown>
    if (made.ok) return yield* identity(path)
    if (made.code !== 'EEXIST') return null
    const there = yield* inspect(path, session)
    if (there === null) continue
    if (there === 'error' || !there.isStale) return null
    if ((yield* setAside(path, there.identity, session)) === 'mismatch') return null
  }
  return null
}

interface Claims {
  first: string
  second: string
  firstIs: string
  secondIs: string
}

function* takeClaims(session: Session): Program<Claims | null> {
  const directory = directoryOf(session.path)
  const base = baseOf(session.path)
  const first = `${directory}/${CLAIM}${crc32(base).toString(16).toUpperCase().padStart(8, '0')}`
  const firstIs = yield* claim(first, session)
  if (firstIs === null) return null
  const claims = `${directory}/${CLAIMS}`
  for (let round = 0; round < 16; round++) {
    if ((yield* status(claims)) === null) {
      const draft = `${directory}/.rstudio-lock-claims-tmp-${TAG}-${session.pid}-${yield* uuid()}`
      yield { op: 'mkdir', path: draft, mode: 0o755 }
      const renamed = (yield { op: 'rename', from: draft, to: claims }) as Reply<void>
      if (!renamed.ok) yield { op: 'rmdir', path: draft }
    }
    const second = `${claims}/${base}`
    const secondIs = yield* claim(second, session)
    if (secondIs !== null) return { first, second, firstIs, secondIs }
    if ((yield* status(claims)) !== null) break
  }
  yield* setAside(first, firstIs, session)
  return null
}

function* areValid({ first, second, firstIs, secondIs }: Claims): Program<boolean> {
  return (yield* identity(first)) === firstIs && (yield* identity(second)) === secondIs
}

function* mark(holding: Holding): Program<boolean> {
  const marked = (yield { op: 'overwrite', file: holding.file, text: RELEASED, timesMs: 0 }) as Reply<unknown>
  yield { op: 'drop', file: holding.file }
  if (marked.ok) yield* remove(holding.owner)
  return marked.ok
}

/** With both claims. */
function* replace(session: Session, claims: Claims): Program<Holding | null> {
  const { path, useSymlinks, pid } = session
  const directory = directoryOf(path)
  const there = yield* inspect(path, session)
  if (there === 'error' || (there !== null && !there.isStale) || !(yield* areValid(claims))) return null
  if (there !== null) {
    let owner: string | null = null
    for (const name of yield* list(directory))
      if ((name.startsWith(OWNER) || name.startsWith(LEGACY)) && (yield* identity(`${directory}/${name}`)) === there.identity)
        owner = `${directory}/${name}`
    if ((yield* setAside(path, there.identity, session)) === 'mismatch') return null
    if (owner !== null) yield* setAside(owner, there.identity, session)
  }
  const owner = `${directory}/${OWNER}${yield* uuid()}`
  const held = (yield { op: 'hold', path: owner, text: `${pid}\n`, mode: 0o644 }) as Reply<Held>
  if (!held.ok) return null
  const holding = { owner, file: held.value.file }
  yield { op: 'overwrite', file: holding.file, text: `${pid}\n`, timesMs: yield* wallMs() }
  const giveUp = function* (): Program<null> {
    yield { op: 'drop', file: holding.file }
    yield* remove(owner)
    return null
  }
  if (!(yield* areValid(claims))) return yield* giveUp()
  const linked = (
    useSymlinks ? yield { op: 'symlink', target: owner, path } : yield { op: 'link', from: owner, to: path }
  ) as Reply<void>
  const isOurs = (yield* meant(path)) === `${held.value.dev}:${held.value.ino}`
  if (!isOurs && !linked.ok) return yield* giveUp()
  if (isOurs && (yield* areValid(claims))) return holding
  yield* mark(holding)
  return null
}

/** What others left beside the lock, and is old. */
function* sweep(session: Session, own: string): Program<void> {
  const directory = directoryOf(session.path)
  for (const name of yield* list(directory)) {
    const path = `${directory}/${name}`
    if (path === own || ![OWNER, LEGACY, CLAIM, ASIDE].some((prefix) => name.startsWith(prefix))) continue
    const found = yield* status(path)
    if (found === null || found.type === 'directory') continue
    if ((name.startsWith(OWNER) || name.startsWith(LEGACY)) && found.links > 1) continue
    const there = yield* inspect(path, session)
    if (there !== null && there !== 'error' && there.isStale) yield* setAside(path, there.identity, session)
  }
}

export const form2026: Form = {
  *acquire(session): Program<Holding | null> {
    const there = yield* inspect(session.path, session)
    if (there === 'error' || (there !== null && !there.isStale)) return null
    const claims = yield* takeClaims(session)
    if (claims === null) return null
    const holding = yield* replace(session, claims)
    yield* setAside(claims.second, claims.secondIs, session)
    if (holding !== null) yield* sweep(session, holding.owner)
    yield* setAside(claims.first, claims.firstIs, session)
    return holding
  },

  *refresh({ pid }, holding): Program {
    yield { op: 'overwrite', file: holding.file, text: `${pid}\n`, timesMs: yield* wallMs() }
  },

  *release(_, holding): Program {
    yield* mark(holding)
  },
}
