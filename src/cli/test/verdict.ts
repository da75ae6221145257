/** What the attempts amount to: pure, so that the lines, the JSON report and the exit code cannot contradict each other. */

import { AdvisoryUnavailableError } from '../../errors.js'
import type { LockType } from '../../types.js'
import { EXIT } from '../shared/exit-codes.js'
import type { MountProfile } from '../shared/mounts.js'
import { isSameMachine, type Limitation, type Whereabouts } from '../shared/scope.js'
import type { Verdict } from '../shared/verdicts.js'
import type { TestedLock } from './tested-locks.js'
import type { Neighbour } from './neighbours.js'

/** What became of one lock. */
export type Finding = { tested: TestedLock } /** `alsoHeldBy`: processes that hold it too, provably at the same time. */ & (
  | { result: 'acquired'; alsoHeldBy: Neighbour[] }
  /** Another process holds it: `heldBy` if it is a running locktester. */
  | { result: 'excluded'; heldBy: Neighbour | null }
  | { result: 'failed'; error: unknown }
)

/** Without its addon this program cannot try a lock, which says nothing of the directory. */
const isUntried = (finding: Finding): boolean => finding.result === 'failed' && finding.error instanceof AdvisoryUnavailableError

/** Those that verdict and exit code go by: a lock that could not be tried counts where the configuration chooses it. */
export function decisive(findings: readonly Finding[], configured: LockType): Finding[] {
  return findings.filter((finding) => !isUntried(finding) || finding.tested.lockType === configured)
}

/** @param limitation of what an exclusion proves: see {@link limitationOfFindings} */
export function verdictOf(findings: readonly Finding[], limitation: ExclusionLimitation): Verdict {
  if (findings.some((finding) => finding.result === 'acquired' && finding.alsoHeldBy.length > 0)) return 'unsafe'
  if (findings.some(({ result }) => result === 'failed')) return 'failed'
  return findings.some(({ result }) => result === 'excluded') ? (limitation ?? 'excluded') : 'acquired'
}

type ExclusionLimitation = Limitation | 'holder-unknown'

/** What the exclusions among these findings cannot prove. Of a holder that is not known, it is not known where it is. */
export function limitationOfFindings(
  findings: readonly Finding[],
  own: Whereabouts,
  mount: MountProfile | null,
): ExclusionLimitation {
  const excluded = findings.filter((finding) => finding.result === 'excluded')
  if (excluded.length === 0) return null
  if (excluded.every(({ heldBy }) => heldBy !== null && isSameMachine(heldBy.record, own))) return 'one-machine'
  if (mount?.reach === 'local') return 'local-disk'
  return excluded.every(({ heldBy }) => heldBy === null) ? 'holder-unknown' : null
}

export function exitCodeOf(verdict: Verdict): number {
  if (verdict === 'unsafe') return EXIT.notSafe
  return verdict === 'failed' ? EXIT.cannotLock : EXIT.ok
}

/** The locks that the file system appears to support: those that another process keeps from us, and no others. */
export function supported(findings: readonly Finding[]): TestedLock[] {
  return findings.filter(({ result }) => result === 'excluded').map(({ tested }) => tested)
}

/**
 * A process that acquired everything waits and holds. Where a lock failed with an error, the others are still held if the
 * user asked for a time: that is the only way to try them from another node.
 */
export function holdsOn(findings: readonly Finding[], holdAsked: boolean): boolean {
  const results = new Set(findings.map(({ result }) => result))
  if (results.has('excluded') || !results.has('acquired')) return false
  return holdAsked || !results.has('failed')
}
