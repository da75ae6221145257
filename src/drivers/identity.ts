/** Who this process is, and whether other processes of this machine live. */

import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import type { ProcessState } from '../protocol/operations.js'
import { HOST_LENGTH_MAX, plainText, type SessionOwner, USER_LENGTH_MAX } from '../protocol/record.js'

export const randomName = () => randomBytes(8).toString('hex')

let owner: SessionOwner | undefined

/** The same for the whole life of the process. What a platform does not have is `null`: then only watching decides. */
export function sessionOwner(): SessionOwner {
  owner ??= {
    host: plainText(hostname(), HOST_LENGTH_MAX),
    bootId: readTrimmed('/proc/sys/kernel/random/boot_id'),
    pidNamespace: ownPidNamespace(),
    pid: process.pid,
    startTime: processStatus(process.pid)?.startTime ?? null,
    uid: process.getuid?.() ?? -1,
    user: userName(),
  }
  return owner
}

/** Is the process of that number the one that started then? Only a certain "no" is `gone`. */
export function processState(pid: number, startTime: string | null): ProcessState {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'gone'
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'unknown'
  }
  const status = processStatus(pid)
  if (status === null) return 'unknown' // /proc may hide other users' processes (hidepid)
  if (status.state === 'Z' || status.state === 'X') return 'gone'
  return startTime !== null && status.startTime !== startTime ? 'gone' : 'alive'
}

/** /proc may be that of another process namespace; then its numbers are not ours. */
function procIsOurs(): boolean {
  return readLink('/proc/self') === String(process.pid)
}

function ownPidNamespace(): string | null {
  return procIsOurs() ? readLink('/proc/self/ns/pid') : null
}

function processStatus(pid: number): { state: string; startTime: string } | null {
  if (!procIsOurs()) return null
  const text = readTrimmed(`/proc/${pid}/stat`)
  if (text === null) return null
  // The second field is the command in parentheses, and may contain blanks and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, startTime] = [fields[0], fields[19]]
  return state === undefined || startTime === undefined ? null : { state, startTime }
}

function userName(): string | null {
  try {
    return plainText(userInfo().username, USER_LENGTH_MAX)
  } catch {
    return null // no entry in the user database, as in many containers
  }
}

function readTrimmed(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim() || null
  } catch {
    return null
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
