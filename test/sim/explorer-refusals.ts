/**
 * One life is lived again and again. Each time another one of its changes (of a claim, a release, a heartbeat, a session's begin
 * and end, a lock directory that is made or taken away, a broken claim) is done and answered with an error that does not prove
 * the contrary. With the errors that the protocol tells apart and one for all others each change has its turn; the other errors
 * are dealt out in turn over all of the changes.
 */

import { NO_FAULTS } from './faults.js'
import { type LifePlan, type PlannedRefusal, runLife } from './life.js'
import type { ClaimName } from './process.js'
import { type ProtocolBundle, shippingProtocol } from './protocol.js'
import { ERRORS_IN_DOUBT } from './world.js'

export const CLAIMS: readonly ClaimName[] = ['hardLinkClaim', 'symlinkClaim', 'renameClaim']
const TOLD_APART = ['EIO', 'ENOENT', 'EEXIST', 'ENOTEMPTY', 'ESTALE', 'EINVAL']
/** Of those that are alike, such as heartbeats, so many have their turn. */
const ALIKE_MAX = 6

export interface RefusalsReport {
  lives: number
  /** All changes of the life, each with its thread: `main: link`. */
  changes: string[]
  /** What a believed error has led to. */
  failure: string | null
}

/** `isFull`: each error has its turn with each change. */
export function exploreRefusals(
  claim: ClaimName,
  isOneMachine: boolean,
  protocol: ProtocolBundle,
  isFull = false,
): RefusalsReport {
  const { seed, changes } = fullLife(claim, isOneMachine)
  const live = (change: number, code: string, isDone: boolean, times: number) =>
    runLife(planRefusal(seed, claim, isOneMachine, { change, code, isDone, times }), protocol)
  const always = isOneMachine ? TOLD_APART : [...TOLD_APART, 'EPERM']
  let lives = 0
  for (const change of choose(changes, isFull)) {
    const dealtOut = ERRORS_IN_DOUBT.filter((_, index) => isFull || index % changes.length === change % ERRORS_IN_DOUBT.length)
    const done = [...new Set([...always, ...dealtOut])].map((code) => ({ code, isDone: true, times: 1 }))
    // What is refused twice in a row, and not done, is left to the heartbeats; so is what a look could not tell either.
    const inRow = [
      { code: 'EIO', isDone: false, times: 2 },
      { code: 'ENOENT', isDone: true, times: 3 },
    ]
    for (const { code, isDone, times } of [...done, ...inRow]) {
      lives++
      const { violation } = live(change, code, isDone, times)
      if (violation === null) continue
      const what = `${isDone ? 'done and' : `${times} times`} answered ${code}`
      return {
        lives,
        changes,
        failure: `${violation.message}: change ${change} of seed ${seed}, ${changes[change]}, was ${what}`,
      }
    }
  }
  return { lives, changes, failure: null }
}

/** What the life has to consist of. */
const CHANGES = ['create', 'mkdir', 'rename'].map((op) => `main: ${op}`)
const CHANGES_OF_OTHERS = ['heart: rewrite', 'heart: unlink', 'prune: rename', 'prune: rmdir']
const CHANGES_OF_CLAIM: Record<ClaimName, string[]> = {
  hardLinkClaim: ['main: link', 'break: link'],
  symlinkClaim: ['main: symlink', 'break: symlink'],
  renameClaim: ['break: rename'],
}
/** Between nodes an acquirer removes what is below by itself. */
const removalOf = (claim: ClaimName, isOneMachine: boolean) =>
  claim === 'renameClaim' ? [] : [isOneMachine ? 'clean-up: unlink' : 'main: unlink']
const SEEDS_MAX = 2000

/** The first life in which everything happens: claims, takeovers, releases, heartbeats, broken and pruned locks. */
function fullLife(claim: ClaimName, isOneMachine: boolean): { seed: number; changes: string[] } {
  const wanted = [...CHANGES, ...CHANGES_OF_OTHERS, ...CHANGES_OF_CLAIM[claim], ...removalOf(claim, isOneMachine)]
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const none = { change: -1, code: 'none', isDone: false, times: 0 }
    const { changes } = runLife(planRefusal(seed, claim, isOneMachine, none), shippingProtocol)
    if (wanted.every((change) => changes.includes(change))) return { seed, changes }
  }
  throw new Error(`Expected a life with ${wanted.join(', ')} among ${SEEDS_MAX}`)
}

function planRefusal(seed: number, claim: ClaimName, isOneMachine: boolean, refusal: PlannedRefusal): LifePlan {
  const faults = { ...NO_FAULTS, administration: 0.5 }
  return { seed, nodes: 2, acquisitions: 4, faults, isThorough: false, claim, isOneMachine, refusal }
}

function choose(changes: string[], isFull: boolean): number[] {
  const seen = new Map<string, number>()
  const chosen: number[] = []
  for (const [change, what] of changes.entries()) {
    const times = (seen.get(what) ?? 0) + 1
    seen.set(what, times)
    if (isFull || times <= ALIKE_MAX) chosen.push(change)
  }
  return chosen
}
