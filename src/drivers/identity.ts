/**
 * The identity of this process, and whether other processes of this machine live. Two sources tell: `kill` with signal
 * 0, which asks the kernel in this process's own pid namespace whatever is mounted, and /proc, which shows what its
 * *mount* belongs to. A /proc counts only where it is known to be that of this process's own pid namespace. Everywhere
 * else (another namespace's /proc, as after `unshare --pid` without `--mount-proc`; none at all; a directory of that
 * name in a chroot) it says nothing: neither whose namespace this is nor whether a process is a zombie or another one
 * with the same id.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import type { ProcessState } from '../protocol/operations.js'
import { HOST_LENGTH_MAX, NO_NAMESPACE, plainText, type SessionOwner, USER_LENGTH_MAX } from '../protocol/record.js'

/**
 * Taken from the platform once, when this module is loaded, as all clocks are (clock.ts): a test that fakes `process.kill`
 * afterwards would convict live holders, and one that fakes random numbers would give two sessions one name.
 */
export const kill = process.kill.bind(process)
const drawBytes = randomBytes

export const randomName = () => drawBytes(8).toString('hex')

let owner: SessionOwner | undefined

/** The same for the whole life of the process. What a platform does not have is `null`: then only watching decides. */
export function sessionOwner(): SessionOwner {
  owner ??= {
    host: plainText(hostname(), HOST_LENGTH_MAX),
    bootId: readTrimmed('/proc/sys/kernel/random/boot_id'),
    pidNamespace: procIsOurs() ? readLink('/proc/self/ns/pid') : null,
    pid: process.pid,
    startTime: processStatus(process.pid)?.startTime ?? null,
    timeNamespace: ownNamespace('time'),
    userNamespace: ownNamespace('user'),
    uid: process.getuid?.() ?? -1,
    user: userName(),
  }
  return owner
}

/**
 * Is the process of that number the one that started then? Only a certain "no" is `gone`. The number has to be of this pid
 * namespace, and the start time, where there is one, of this time namespace: see `provingStartTime`.
 */
export function processState(pid: number, startTime: string | null): ProcessState {
  try {
    kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'gone'
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'unknown'
  }
  const status = processStatus(pid)
  if (status === null) return 'unknown' // /proc may hide other users' processes (hidepid)
  // Where only its first thread has ended the process shows as a zombie as well, and its other threads go on.
  if (status.state === 'X' || (status.state === 'Z' && status.threads === '1')) return 'gone'
  return startTime !== null && status.startTime !== startTime ? 'gone' : 'alive'
}

/** The device of a /proc that was found to be ours. Those of different pid namespaces never have the same. */
let ownProcDevice: number | undefined

/** Is /proc there, and that of this process's pid namespace? Asked each time, because something may be mounted over it. */
export function procIsOurs(): boolean {
  const device = statSync('/proc', { throwIfNoEntry: false })?.dev
  if (device === undefined) return false
  if (device === ownProcDevice) return true
  if (!isProcOfOwnNamespace()) return false
  ownProcDevice = device
  return true
}

const PROC_SUPER_MAGIC = 0x9fa0

/**
 * A /proc shows this process under its number in the /proc's own namespace, and in `NSpid` all its numbers from there down to
 * the namespace it is in: one alone means that they are the same. Equal numbers do not: they may be equal by chance.
 */
function isProcOfOwnNamespace(): boolean {
  const status = readTrimmed('/proc/self/status')
  const [, numbers] = /^NSpid:[ \t]*(.*)$/m.exec(status ?? '') ?? []
  return numbers === String(process.pid) && isOfProcfs('/proc/self/status')
}

function isOfProcfs(path: string): boolean {
  try {
    return statfsSync(path).type === PROC_SUPER_MAGIC
  } catch {
    return false
  }
}

/** Which namespace of a kind this process is in; `null`: not known. */
function ownNamespace(kind: 'time' | 'user'): string | null {
  if (!procIsOurs()) return null
  try {
    return readlinkSync(`/proc/self/ns/${kind}`)
  } catch (error) {
    // A kernel without namespaces of that kind has no such file; one that does not let us look says so with another error.
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT' && readLink('/proc/self/ns/pid') !== null
    return isAbsent ? NO_NAMESPACE : null
  }
}

function processStatus(pid: number): { state: string; threads: string; startTime: string } | null {
  if (!procIsOurs()) return null
  const text = readTrimmed(`/proc/${pid}/stat`)
  if (text === null) return null
  // The second field is the command in parentheses, and may contain blanks and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, threads, startTime] = [fields[0], fields[17], fields[19]]
  return state === undefined || threads === undefined || startTime === undefined ? null : { state, threads, startTime }
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
