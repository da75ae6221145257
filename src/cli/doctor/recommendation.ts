/** From what works to what to configure: pure. */

import { EXIT } from '../shared/exit-codes.js'
import { KINDS, type Kind, type Recommendation, refusesFlock, settingsFor } from '../shared/kinds.js'
import type { Finding, PlacedFinding } from './finding.js'
import type { LockTrial } from './lock-trials.js'

/** `null`: nothing here locks. */
export function recommend(trials: readonly LockTrial[], findings: readonly Finding[]): Recommendation | null {
  if (findings.some(({ code }) => code === 'OBJECT_STORE')) return null
  const works = (kind: Kind) => trials.some((trial) => trial.kind === kind && trial.failure === null && !trial.isLocal)
  // lock-type=advisory takes both calls, but where flock is refused.
  const isTaken = (kind: Kind) => kind !== 'flock' || trials.some((trial) => trial.kind === 'fcntl' && trial.failure === null)
  const isFlockRefused = trials.some(({ kind, failure }) => refusesFlock(kind, failure))
  const kind = KINDS.find((each) => settingsFor(each, isFlockRefused) !== null && works(each) && isTaken(each))
  return kind === undefined ? null : settingsFor(kind, isFlockRefused)
}

export function exitCodeOf(
  findings: readonly PlacedFinding[],
  configured: LockTrial | undefined,
  recommendation: Recommendation | null,
): number {
  if (findings.some(({ section, severity }) => section === 'configuration' && severity === 'error')) return EXIT.configuration
  if (recommendation === null || configured === undefined || configured.failure !== null) return EXIT.cannotLock
  return configured.isLocal ? EXIT.notSafe : EXIT.ok
}
