/** `locktester break`: takes a lock from the holder with that token, says who it was, and leaves everybody else alone. */

import { MountlockError } from '../../errors.js'
import type { Inspection } from '../../types.js'
import { UsageError } from '../shared/command.js'
import { EXIT } from '../shared/exit-codes.js'
import { runInterruptibly } from '../shared/interrupt.js'
import { messageOf, paint, writeError, writeJson, writeOut } from '../test/print.js'
import { LockFinder, type Unread } from '../locks/find-locks.js'
import { type LockStatus, Looker } from '../locks/look.js'
import { actOn, whyNot } from '../locks/act-on.js'
import type { BreakOptions } from './command.js'

/** The lock itself is named: one that happens to lie in that directory is not meant. */
const NOT_BELOW = -1

interface Result {
  /** `already-free`: nobody held it; `other-holder`: somebody with another token does, and keeps it. */
  result: 'broken' | 'already-free' | 'other-holder' | 'failed'
  /** Who was broken, or who holds it. */
  holder: LockStatus['holder']
  /** The highest token handed out so far. */
  token: bigint | null
  reason: string | null
}

const EXIT_CODES: Record<Result['result'], number> = {
  broken: EXIT.ok,
  'already-free': EXIT.ok,
  'other-holder': EXIT.busy,
  failed: EXIT.cannotLock,
}

/** Runs the command and ends the process. */
export function runBreak(options: BreakOptions): Promise<void> {
  return runInterruptibly(async () => {
    const result = await breakHolder(options)
    say(result, options)
    return EXIT_CODES[result.result]
  })
}

/** @throws UsageError if there is no such lock, or it is of a kind that has no tokens */
async function breakHolder({ path, token }: BreakOptions): Promise<Result> {
  const before = await lookAt(path)
  const outcome = await actOn(before, (locks, lock) => locks.breakHolder(lock, token)).catch(toResult)
  const { holder } = before
  if (outcome.kind === 'refused') return { result: 'failed', holder, token, reason: outcome.reason }
  if (outcome.kind === 'broken') return { result: 'broken', holder, token, reason: null }
  if (outcome.kind === 'failed') return { result: 'failed', holder, token, reason: whyNot(outcome.outcome) }
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
  if (found === undefined && finder.unread.length > 0) throw unreadable(path, finder.unread)
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
  return new MountlockError('The lock cannot be looked at, so nothing was broken', { code: 'UNREADABLE', path, advice })
}

function say({ result, holder, token, reason }: Result, { path, json }: BreakOptions): void {
  const who = holderText(holder)
  if (json) {
    const report = { version: 1, path, result, token: token === null ? null : String(token), holder, reason }
    return writeJson({ ...report, exitCode: EXIT_CODES[result] })
  }
  if (result === 'broken')
    writeOut(`Broken: ${who} had ${path} with the token ${token}. It learns of it with one of its next heartbeats.`)
  else if (result === 'already-free') writeError(`Nobody holds ${path}: nothing was broken.`)
  else if (result === 'other-holder') writeError(`Nothing was broken: ${who} holds ${path} with the token ${token}.`)
  else writeError(`${paint('red', 'error:')} Nothing was broken: ${reason}`)
}

function holderText(holder: Extract<Inspection, { state: 'held' }>['holder'] | null): string {
  if (holder === null || holder.pid === null) return 'somebody'
  const label = holder.label ? ` (${holder.label})` : ''
  return `process ${holder.pid} on ${holder.host}${holder.user === null ? '' : ` of ${holder.user}`}${label}`
}
