/** A process and its descendants, as /proc shows them: remembered, because orphans are no longer found by their parent. */

import { readdirSync, readFileSync } from 'node:fs'

interface Member {
  pid: number
  parent: number
  /** With the pid it identifies a process: pids are used again. */
  startTime: string
  isDead: boolean
}

export class Family {
  readonly #members = new Map<number, string>()

  constructor(pid: number) {
    const root = readMember(pid)
    if (root !== null && !root.isDead) this.#members.set(pid, root.startTime)
    this.#look()
  }

  /** To each of them that lives, those born since the last look included. */
  signal(signal: NodeJS.Signals): void {
    for (const { pid } of this.#look()) {
      try {
        process.kill(pid, signal)
      } catch {} // gone meanwhile, or another user's
    }
  }

  lives(): boolean {
    return this.#look().length > 0
  }

  #look(): Member[] {
    const all = readMembers()
    let grows = true
    while (grows) {
      grows = false
      for (const { pid, parent, startTime } of all) {
        if (this.#members.has(pid) || !this.#members.has(parent)) continue
        this.#members.set(pid, startTime)
        grows = true
      }
    }
    return all.filter(({ pid, startTime, isDead }) => !isDead && this.#members.get(pid) === startTime)
  }
}

/** Empty where there is no /proc. */
function readMembers(): Member[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readMember(Number(name)) ?? []) : []))
  } catch {
    return []
  }
}

function readMember(pid: number): Member | null {
  const fields = readStatus(pid)
  if (fields === null) return null
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
