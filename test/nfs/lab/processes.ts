/**
 * The processes of a running lab, written down as they start, so that `down` finds them whatever has happened to the daemon.
 * A process is known by its id and its start time: an id alone may belong to another process by now.
 */

import { readFileSync, writeFileSync } from 'node:fs'

interface StartedProcess {
  name: string
  pid: number
  startTime: string
}

export class ProcessBook {
  readonly #file: string
  #processes: StartedProcess[] = []

  constructor(file: string) {
    this.#file = file
  }

  add(name: string, pid: number | undefined): void {
    const startTime = pid === undefined ? null : startTimeOf(pid)
    if (pid === undefined || startTime === null) return // it could not be started, which is reported elsewhere
    this.#processes = [...this.#processes.filter(isRunning), { name, pid, startTime }]
    writeFileSync(this.#file, JSON.stringify(this.#processes))
  }
}

/** Ends what was written down and still runs, with everything in its process group. Returns the names. */
export function killRecorded(file: string): string[] {
  const running = readBook(file).filter(isRunning)
  for (const { pid } of running) killGroup(pid, 'SIGKILL')
  return running.map(({ name }) => name)
}

function readBook(file: string): StartedProcess[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return []
  }
}

export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // it is gone already
  }
}

function isRunning({ pid, startTime }: StartedProcess): boolean {
  return startTimeOf(pid) === startTime
}

/** Field 22 of proc_pid_stat(5); the second one, the name, may contain blanks. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}
