/**
 * How a name is removed that others may replace at any moment: it is renamed aside, looked at once more, and removed, or linked
 * back if it was not what was meant. As the 2026 form does it, so that both get on with each other.
 */

import { isAbsent } from '../protocol/doubt.js'
import { ask, type Failure, type Protocol } from '../protocol/operations.js'
import { ownAside } from './names.js'

/** Which file or link it is, as long as it exists. */
export type Identity = string

/** Of what the name is, and not of what a link leads to: each link is made once. `null`: nothing is there. */
export function* identityAt(path: string): Protocol<Identity | null | Failure> {
  const status = yield* ask.stat(path)
  if (!status.ok) return isAbsent(status.code) ? null : status
  return `${status.value.dev}:${status.value.ino}`
}

export type SetAside = 'removed' | 'absent' | 'mismatch' | Failure

/** Removes the name if it is still that file. `isFree`: asked last, when no process finds it by the name any more. */
export function* setAside(
  path: string,
  identity: Identity,
  pid: number,
  isFree?: (aside: string) => Protocol<boolean>,
): Protocol<SetAside> {
  const before = yield* identityAt(path)
  if (before === null) return 'absent'
  if (typeof before !== 'string') return before
  if (before !== identity) return 'mismatch'
  const aside = ownAside(path, pid, yield* ask.name())
  const renamed = yield* ask.rename(path, aside)
  const moved = yield* identityAt(aside)
  if (moved === null) return renamed.ok || isAbsent(renamed.code) ? 'absent' : renamed
  if (typeof moved !== 'string') return moved
  if (moved === identity && (isFree === undefined || (yield* isFree(aside)))) {
    const removed = yield* ask.unlink(aside)
    return removed.ok || isAbsent(removed.code) ? 'removed' : removed
  }
  yield* putBack(aside, path)
  return 'mismatch'
}

/** What was set aside and may be a lock that lives. Where its place is taken it stays: their sweeps remove it when it is old. */
export function* putBack(aside: string, path: string): Protocol<void> {
  const linked = yield* ask.link(aside, path)
  if (linked.ok) yield* ask.unlink(aside)
}
