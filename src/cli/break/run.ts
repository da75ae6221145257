/** `locktester break`: takes a lock from the holder with that token, names that holder, and leaves every other one alone. */

import { MountlockError } from '../../errors.js'
import { UsageError } from '../shared/usage.js'
import { runInterruptibly } from '../shared/interrupt.js'
import { messageOf } from '../shared/output.js'
import { LockFinder, type Unread } from '../locks/find-locks.js'
import { type LockStatus, Looker } from '../locks/look.js'
import { actOn, whyNot } from '../locks/act-on.js'
import { EXIT_CODES, type Result, say } from './print.js'

export interface BreakOptions {
  path: string
  token: bigint
  json: boolean
}

/** The lock itself is named: one that happens to lie in that directory is not meant. */
const NOT_BELOW = -1

/** Runs the command and ends the process. */
export function runBreak(options: BreakOptions): Promise<void> {
  const work = async () => {
    const result = await breakHolder(options)
    say(result, options)
    return EXIT_CODES[result.result]
  }
  return runInterruptibly(work, { needsReader: false })
}

/** @throws UsageError if there is no such lock, or it is of a kind that has no tokens */
async function breakHolder({ path, token }: BreakOptions): Promise<Result> {
  const before = await lookAt(path)
  // Its holder may have ended without giving it back: nothing is left to be taken from it.
  if (before.state === 'free') return { result: 'already-free', holder: null, token: before.token, reason: null }
  const outcome = await actOn(before, (locks, lock) => locks.breakHolder(lock, token)).catch(toResult)
  const { holder } = before
  if (outcome.kind === 'refused') return { result: 'failed', holder, token, reason: outcome.reason }
  if (outcome.kind === 'broken') return { result: 'broken', holder, token, reason: null, untold: before.reason }
  if (outcome.kind === 'failed') return { result: 'failed', holder, token, reason: whyNot(outcome.outcome, before) }
  const after = await lookAt(path)
  const result = outcome.kind === 'not-held' ? 'already-free' : 'other-holder'
  return { result, holder: after.holder, token: after.token, reason: null }
}

/** Want of permission, a full disk: nothing was broken, and it says why. */
function toResult(error: unknown): { kind: 'refused'; reason: string } {
  if (!(error instanceof MountlockError)) throw error
  return { kind: 'refused', reason: messageOf(error) }
}

async function lookAt(path: string): Promise<LockStatus> {
  const finder = new LockFinder(NOT_BELOW)
  await finder.find(path)
  const [found] = [...finder.locks.values()]
  const unusable = [...finder.unread, ...finder.withoutMarker]
  if (found === undefined && unusable.length > 0) throw unreadable(path, unusable)
  if (finder.workbench.size > 0) {
    throw new UsageError(`${path} is a lock of Workbench's own: end the session that holds it instead`)
  }
  if (found === undefined) throw new UsageError(`There is no lock at ${path}: name the lock itself`)
  if (found.lockType === 'advisory') {
    throw new UsageError(`${path} is the file of an advisory lock: end the process that holds it instead`)
  }
  const looker = new Looker({ paths: [path], depthMax: NOT_BELOW })
  try {
    const { locks, unread } = await looker.look()
    const [status] = locks
    if (status === undefined) throw unreadable(path, unread)
    return status
  } finally {
    await looker.close()
  }
}

function unreadable(path: string, unread: readonly Unread[]): MountlockError {
  const advice = unread[0]?.message ?? 'It went away meanwhile.'
  return new MountlockError('The lock cannot be looked at, so nothing was broken', { code: 'FILE_SYSTEM_ERROR', path, advice })
}
