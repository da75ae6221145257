/** From what works to what to configure: pure. */

import type { ConfigSettings } from '../../config/settings.js'
import type { LockType } from '../../types.js'
import { EXIT } from '../exit-codes.js'
import type { Finding } from './finding.js'
import { KINDS, type Kind, LOCK_TYPES, type LockTrial } from './lock-trials.js'

export interface Recommendation {
  lockType: LockType
  useSymlinks: boolean
}

/** `null`: nothing here locks. */
export function recommend(trials: readonly LockTrial[], findings: readonly Finding[]): Recommendation | null {
  if (findings.some(({ code }) => code === 'OBJECT_STORE')) return null
  const kind = KINDS.find((each) => trials.some((trial) => trial.kind === each && trial.failure === null && !trial.isLocal))
  return kind === undefined ? null : { lockType: LOCK_TYPES[kind], useSymlinks: kind === 'symlink' }
}

/** The kind of lock that the settings choose. */
export function configuredKind({ lockType, useSymlinks }: ConfigSettings): Kind {
  if (lockType === 'advisory') return 'flock'
  if (lockType === 'renamebased') return 'rename'
  return useSymlinks ? 'symlink' : 'hard link'
}

export function exitCodeOf(
  findings: readonly Finding[],
  configured: LockTrial | undefined,
  recommendation: Recommendation | null,
): number {
  if (findings.some(({ section, severity }) => section === 'configuration' && severity === 'error')) return EXIT.configuration
  if (recommendation === null || configured === undefined || configured.failure !== null) return EXIT.cannotLock
  return configured.isLocal ? EXIT.notSafe : EXIT.ok
}
