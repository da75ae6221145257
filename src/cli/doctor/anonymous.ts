/**
 * What a user can send in with an issue, so that a file system that is unknown becomes known: what it is, how it is mounted
 * and what worked. Nothing in it names a person, a machine, an address or a path: what is kept is listed here, and the rest is
 * left out.
 */

import { arch, release } from 'node:os'
import { fileSystemOf } from '../../advice/file-systems.js'
import type { Recommendation } from '../shared/kinds.js'
import type { MountProfile } from '../shared/mounts.js'
import { version } from '../shared/program.js'
import type { PlacedFinding } from './finding.js'
import type { LockTrial } from './lock-trials.js'
import type { Clock, Links } from './measures.js'
import type { Primitive } from './primitives.js'

export interface Examined {
  mount: MountProfile | null
  findings: readonly PlacedFinding[]
  primitives: readonly Primitive[]
  trials: readonly LockTrial[]
  clock: Clock | null
  links: Links | null
  recommendation: Recommendation | null
  exitCode: number
}

/** Options whose values say how a mount behaves, and name no user and no place. Of others the name stays. */
const TELLING =
  /^((nfs)?vers|version|proto|sec|timeo|retrans|[rw]size|ac(reg|dir)(min|max)|actimeo|acregmax|local_lock|lookupcache|cache|nconnect|(file|dir)_mode|trans|msize|max_read|blksize|xprtsec)=/

export function anonymous(examined: Examined): object {
  const { mount, findings, primitives, trials, clock, links, recommendation, exitCode } = examined
  return {
    version: 1,
    locktester: version(),
    node: process.version,
    kernel: release(),
    architecture: arch(),
    fileSystem: mount === null ? null : shapeOf(mount),
    findings: findings.filter(({ section }) => section !== 'node').map(({ code, severity }) => ({ code, severity })),
    primitives: primitives.map(({ name, failure, medianMs }) => ({ name, failure, medianMs })),
    locks: trials.map(({ kind, failure, medianMs, isLocal }) => ({ kind, failure: failure?.code ?? null, medianMs, isLocal })),
    timeStamps: clock === null ? null : { granularityMs: clock.granularityMs },
    links,
    recommendation,
    exitCode,
  }
}

function shapeOf(mount: MountProfile): object {
  const { id, title } = fileSystemOf(mount)
  const options = mount.options.map((option) =>
    TELLING.test(option) || !option.includes('=') ? option : option.replace(/=.*/, '=…'),
  )
  return { id, title, type: mount.type, source: sourceShape(mount.source), reach: mount.reach, options }
}

/** Letters and digits are left out of it: what remains tells an address from a device, and no name. */
const sourceShape = (source: string) => source.replace(/[^\s:/@#.,\\-]+/g, 'x')
