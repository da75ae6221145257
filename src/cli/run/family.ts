/**
 * The processes that a command consists of: it and its descendants, and every process that holds the leash, a descriptor
 * that they inherit. A descendant whose parent has ended is no longer found by its parents, but by the leash that it holds; one
 * that has closed the leash is found by its parents, as long as they live, and remembered.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { procIsOurs } from '../../drivers/identity.js'
import { descriptorsOf } from './descriptors.js'

interface Member {
  pid: number
  parent: number
  /** With the pid it identifies a process: pids are used again. */
  startTime: string
  isDead: boolean
}

export interface Roots {
  /** Of the command itself, if it is known. */
  pid: number | null
  /** What /proc/PID/fd shows for the leash; `null` where there is none. */
  leash: string | null
  /** The process of `locktester run`, which hands the leash on and has it until the command ends. */
  run: number
}

const POLL_MS = 50
/** Processes that are born while others are killed are found by the next look. */
const KILL_ROUNDS_MAX = 40

export class Family {
  readonly #members = new Map<number, string>()
  readonly #pid: number | null
  readonly #leash: string | null
  readonly #run: number

  constructor({ pid, leash, run }: Roots) {
    this.#pid = pid
    this.#leash = leash
    this.#run = run
    const root = pid === null ? null : readMember(pid)
    if (root !== null && !root.isDead) this.#members.set(root.pid, root.startTime)
    this.#look()
  }

  /** To each of them that lives, those born since the last look included. @returns how many there are */
  signal(signal: NodeJS.Signals): number {
    const living = this.#look()
    for (const pid of living) send(pid, signal)
    return living.length
  }

  lives(): boolean {
    return this.#look().length > 0
  }

  /** TERM to all of them; KILL to those that are still there after `killAfterMs`. */
  async terminate(killAfterMs: number): Promise<void> {
    this.signal('SIGTERM')
    this.signal('SIGCONT') // a stopped process would never notice
    const deadlineMs = performance.now() + killAfterMs
    while (this.lives() && performance.now() < deadlineMs) await sleep(Math.min(POLL_MS, killAfterMs))
    for (let round = 1; this.signal('SIGKILL') > 0 && round <= KILL_ROUNDS_MAX; round++) await sleep(POLL_MS)
  }

  /** Those that live. */
  #look(): number[] {
    if (!procIsOurs()) return this.#pid !== null && send(this.#pid, 0) ? [this.#pid] : []
    const all = readMembers()
    const startTimes = new Map(all.map(({ pid, startTime }) => [pid, startTime]))
    const isMember = (pid: number) => this.#members.has(pid) && this.#members.get(pid) === startTimes.get(pid)
    for (const { pid, startTime } of all) if (this.#holdsLeash(pid)) this.#members.set(pid, startTime)
    let grows = true
    while (grows) {
      grows = false
      for (const { pid, parent, startTime } of all) {
        if (isMember(pid) || !isMember(parent)) continue
        this.#members.set(pid, startTime)
        grows = true
      }
    }
    return all.filter(({ pid, isDead }) => !isDead && isMember(pid)).map(({ pid }) => pid)
  }

  #holdsLeash(pid: number): boolean {
    return this.#leash !== null && pid !== this.#run && descriptorsOf(pid).some(({ what }) => what === this.#leash)
  }
}

/** The living children of this process. */
export function childrenOfOurs(): number[] {
  return readMembers().flatMap(({ pid, parent, isDead }) => (parent === process.pid && !isDead ? [pid] : []))
}

/** @returns `false` for a process that is gone, or is another user's by now (sudo) */
export function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

function readMembers(): Member[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readMember(Number(name)) ?? []) : []))
  } catch {
    return []
  }
}

function readMember(pid: number): Member | null {
  const fields = readStatus(pid)
  if (fields === null || !procIsOurs()) return null
  const [state = '', parent = ''] = fields
  return { pid, parent: Number(parent), startTime: fields[19] ?? '', isDead: 'ZX'.includes(state) }
}

/** The fields of proc_pid_stat(5) from the third one on, the state; `null` where there is no such process or no /proc. */
export function readStatus(pid: number | 'self'): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the command in parentheses, and may contain blanks and parentheses itself.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}
