/** What --json prints: stable within a `version`; fields may be added, never changed or removed. */

import type { LoadedConfig } from '../../config/load.js'
import type { LockType } from '../../types.js'
import { ownIdentity } from '../shared/identity.js'
import type { MountProfile } from '../shared/mounts.js'
import type { Neighbour } from './neighbours.js'
import { errorReport, type Warning } from '../shared/output.js'
import type { Verdict } from '../shared/verdicts.js'
import { decisive, exitCodeOf, type Finding, limitationOfFindings, supported, verdictOf } from './verdict.js'

export interface Facts {
  directory: string
  mount: MountProfile | null
  config: LoadedConfig
  findings: readonly Finding[]
  /** The other testers that are alive. */
  others: readonly Neighbour[]
  warnings: readonly Warning[]
  holds: boolean
}

interface Person {
  host: string
  pid: number
  uid: number
  user: string | null
}

interface LockReport {
  lockType: LockType
  /** `flock`, `fcntl`, `hard link`, `symlink`; `null`: the one that the settings choose. */
  variant: string | null
  path: string
  result: 'acquired' | 'excluded' | 'failed'
  /** Excluded: the running locktester that claims it, if it is one. */
  heldBy: Person | null
  /** Acquired: the processes that hold it at the same time; any entry means that the lock is not safe. */
  alsoHeldBy: Person[]
  /** Failed: why. */
  error: { code: string; message: string } | null
}

export interface Report {
  version: 1
  directory: string
  /** `null` where the platform does not tell. */
  fileSystem: {
    type: string
    source: string
    mountPoint: string
    options: string[]
    reach: 'shared' | 'local' | 'unknown'
  } | null
  configuration: Pick<LoadedConfig, 'file' | 'found' | 'settings' | 'diagnostics'>
  self: Person
  locks: LockReport[]
  /** The lock types that another process keeps from us: those that the file system appears to support. */
  supported: string[]
  others: Person[]
  warnings: Warning[]
  verdict: Verdict
  /** The locks stay held now, until Ctrl+C or the end of --hold. */
  holds: boolean
  /** The exit code, unless something happens while the locks are held. */
  exitCode: number
}

export function reportOf({ directory, mount, config, findings, others, warnings, holds }: Facts): Report {
  const { file, found, settings, diagnostics } = config
  const verdict = verdictOf(decisive(findings, settings.lockType), limitationOfFindings(findings, ownIdentity(), mount))
  return {
    version: 1,
    directory,
    fileSystem: mount === null ? null : { ...mount },
    configuration: { file, found, settings, diagnostics },
    self: person(ownIdentity()),
    locks: findings.map(lockReport),
    supported: supported(findings).map(({ family, variant }) => variant ?? family),
    others: others.map(({ record }) => person(record)),
    warnings: [...warnings],
    verdict,
    holds,
    exitCode: exitCodeOf(verdict),
  }
}

function lockReport(finding: Finding): LockReport {
  const { tested, result } = finding
  return {
    lockType: tested.lockType,
    variant: tested.variant,
    path: tested.path,
    result,
    heldBy: result === 'excluded' && finding.heldBy !== null ? person(finding.heldBy.record) : null,
    alsoHeldBy: result === 'acquired' ? finding.alsoHeldBy.map(({ record }) => person(record)) : [],
    error: result === 'failed' ? errorReport(finding.error) : null,
  }
}

function person({ host, pid, uid, user }: Person): Person {
  return { host, pid, uid, user }
}
