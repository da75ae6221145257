/** What comes into the place of a lock directory must have higher numbers than it had: tokens never go back. */

import { discardMoved, firstNumber } from './create-lock.js'
import { isNewLockName, lookName } from './names.js'
import { ask, type Protocol } from './operations.js'
import type { LockView } from './settle.js'

/** What is not in its place yet: `busy`: look again later; `ahead`: the server's clock is behind the last generation. */
export type Obstacle = { kind: 'busy' } | { kind: 'ahead' } | { kind: 'failed'; code: string; error?: unknown }

/** How long, in looks, a file server's clock may stand still. Chosen: each look is a call to the server. */
const TICK_LOOKS_MAX = 500
/** The coarsest time stamps, and some: a number that is further ahead was given out before the server's clock was set back. */
const TICK_MAX = firstNumber(3000)

/**
 * Will what comes into this place next have higher numbers? Tokens never go back. `null`: it will, or within the
 * clock's next tick.
 */
export function* aheadOfServer(site: LockView, last: bigint): Protocol<Obstacle | null> {
  for (let looks = 0; looks < TICK_LOOKS_MAX; looks++) {
    const path = `${site.directory}/${lookName(yield* ask.name())}`
    const now = yield* ask.create(path, '', 0o600)
    yield* ask.unlink(path)
    if (!now.ok) return { kind: 'failed', ...now }
    const next = firstNumber(now.value.serverMs)
    if (next > last) return null
    if (last - next > TICK_MAX) return { kind: 'ahead' }
  }
  return { kind: 'busy' }
}

/** More than are ever made at once; the rest is left to another call. */
const DRAFTS_MAX = 64

/** Makes sure that what comes into this place next has higher numbers. `null`: it will. */
export function* outnumber(site: LockView, last: bigint): Protocol<Obstacle | null> {
  const ahead = yield* aheadOfServer(site, last)
  if (ahead !== null) return ahead
  const beside = yield* ask.list(site.directory)
  if (!beside.ok) return { kind: 'failed', ...beside }
  const drafts = beside.value.filter(isNewLockName)
  for (const draft of drafts.slice(0, DRAFTS_MAX)) {
    yield* discardMoved(site.directory, `${site.directory}/${draft}`)
    const left = yield* ask.stat(`${site.directory}/${draft}`)
    if (left.ok) return { kind: 'failed', code: 'EPERM' } // of another user, in a sticky directory
  }
  return drafts.length > DRAFTS_MAX ? { kind: 'busy' } : null
}
