/** Acquires and releases one lock of each kind with the library itself: the last word on what works on this node. */

import { join } from 'node:path'
import { excludeEachOther } from '../../advisory/one-lock.js'
import type { LoadedConfig } from '../../config/load.js'
import { Lane } from '../../drivers/lane.js'
import { createLocker } from '../../locker/locker.js'
import { bounded, codeOf } from '../shared/bounded.js'
import { choiceOf, type Kind, optionsOf } from '../shared/kinds.js'
import { errorReport } from '../shared/output.js'
import { type Finding, fine, trouble } from './finding.js'
import type { LocalLocks } from './mount-rules.js'
import { median, milliseconds } from './primitives.js'

export interface LockTrial {
  kind: Kind
  /** `null`: it works. */
  failure: { code: string; message: string } | null
  /** To acquire and release it once the session is there. */
  medianMs: number | null
  /** By the mount options, other nodes do not see it. */
  isLocal: boolean
}

const NOT_ADVISORY = 'lock-type=advisory, which takes flock and fcntl, cannot be used here.'

const TRIES = 5
/** No other process wants it. But a process that stands still loses what it has just acquired, and needs another try. */
const WAIT_MS = 5000

export async function tryLock(kind: Kind, directory: string, config: LoadedConfig, local: LocalLocks): Promise<LockTrial> {
  const isLocal = staysOnNode(kind, local)
  const locker = createLocker(optionsOf(kind, config.settings))
  const path = join(directory, kind.replace(' ', '-'))
  try {
    const timesMs: number[] = []
    for (let index = 0; index <= TRIES; index++) {
      const startMs = performance.now()
      const lock = await bounded(path, locker.acquire(path, { waitMs: WAIT_MS }))
      await bounded(path, lock.release())
      if (index > 0) timesMs.push(performance.now() - startMs) // the first one made the session
    }
    return { kind, failure: null, medianMs: median(timesMs), isLocal }
  } catch (error) {
    if (codeOf(error) === 'SERVER_TIMEOUT') throw error
    return { kind, failure: errorReport(error), medianMs: null, isLocal }
  } finally {
    await bounded(path, locker.close()).catch(() => {})
  }
}

/** Of two calls, the one that reaches the server excludes other nodes. */
function staysOnNode(kind: Kind, { flock, fcntl }: LocalLocks): boolean {
  if (kind === 'flock') return flock
  if (kind === 'fcntl') return fcntl
  return kind === 'advisory' && flock && fcntl
}

export function lockFindings(trials: readonly LockTrial[]): Finding[] {
  return trials.map(({ kind, failure, medianMs, isLocal }, index) => {
    const code = `LOCK_${kind.replace(' ', '_').toUpperCase()}` as const
    if (failure !== null) {
      const breaks = kind === 'advisory' ? NOT_ADVISORY : `lock-type=${choiceOf(kind).lockType} cannot use ${kind} here.`
      const same = trials.slice(0, index).find((earlier) => earlier.failure?.message === failure.message)
      const why = same === undefined ? failure.message : `${failure.code}, for the same reason as ${same.kind}`
      return trouble('note', code, { seen: `${kind}: ${why}`, breaks })
    }
    const seen = `${kind}: acquired and released (median ${milliseconds(medianMs ?? 0)})`
    if (!isLocal) return fine(code, seen)
    return trouble('warning', code, { seen, breaks: 'But it excludes this node only, as the mount options say.' })
  })
}

const ONE_LOCK = 'flock and fcntl are one lock here: each keeps out programs that use the other'
const TWO_LOCKS =
  'flock and fcntl do not see each other here: lock-type=advisory takes both, and a program that uses one keeps out no program that uses the other'

/** Whether they see each other, which no mount table tells: tried where both work. */
export async function callFindings(trials: readonly LockTrial[], directory: string): Promise<Finding[]> {
  const works = (kind: Kind) => trials.some((trial) => trial.kind === kind && trial.failure === null)
  if (!works('flock') || !works('fcntl')) return []
  const areOne = await bounded(directory, excludeEachOther(directory, new Lane()))
  return [fine('ADVISORY_CALLS', areOne ? ONE_LOCK : TWO_LOCKS)]
}
