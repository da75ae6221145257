/** What `locktester break` says, and the exit code that it comes to. */

import type { Inspection } from '../../types.js'
import { printable } from '../../log/printable.js'
import type { LockStatus } from '../locks/look.js'
import { EXIT } from '../shared/exit-codes.js'
import { writeComplaint, writeError, writeJson, writeOut } from '../shared/output.js'

export interface Result {
  /** `already-free`: no process held it; `other-holder`: a process with another token does, and keeps it. */
  result: 'broken' | 'already-free' | 'other-holder' | 'failed'
  /** The holder that was broken, or the one that holds it. */
  holder: LockStatus['holder']
  /** The highest token handed out so far. */
  token: bigint | null
  reason: string | null
  /** Of `broken`, and for people: why the process that held it cannot be told. */
  untold?: string | null
}

export const EXIT_CODES: Record<Result['result'], number> = {
  broken: EXIT.ok,
  'already-free': EXIT.ok,
  'other-holder': EXIT.busy,
  failed: EXIT.cannotLock,
}

export function say(
  { result, holder, token, reason, untold }: Result,
  { path: named, json }: { path: string; json: boolean },
): void {
  const process = printable(holderText(holder))
  const path = printable(named)
  if (json) {
    const report = { version: 1, path: named, result, token: token === null ? null : String(token), holder, reason }
    return writeJson({ ...report, exitCode: EXIT_CODES[result] })
  }
  if (result === 'broken') writeOut(broken(holder, { path, token, untold: printable(untold ?? '') }))
  else if (result === 'already-free') writeError(`No process holds ${path}: nothing was broken.`)
  else if (result === 'other-holder')
    writeComplaint('error', `Nothing was broken: ${process} holds ${path} with the token ${token}.`)
  else writeComplaint('error', `Nothing was broken: ${reason}`)
}

function broken(
  holder: Result['holder'],
  { path, token, untold }: { path: string; token: bigint | null; untold: string },
): string {
  const heard = 'learns of it with one of its next heartbeats.'
  if (holder !== null) return `Broken: ${printable(holderText(holder))} had ${path} with the token ${token}. It ${heard}`
  return `Broken: ${path} was held with the token ${token}, by which process cannot be told (${untold}). Its holder, if there is one, ${heard}`
}

function holderText(holder: Extract<Inspection, { state: 'held' }>['holder'] | null): string {
  if (holder === null || holder.pid === null) return 'another process'
  const label = holder.label ? ` (${holder.label})` : ''
  return `process ${holder.pid} on ${holder.host}${holder.user === null ? '' : ` of ${holder.user}`}${label}`
}
