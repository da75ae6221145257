/** A process of the storm, seen from outside: started on this node or on another one, disturbed, and ended. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Victim } from '../../src/cli/evidence/chaos.js'
import type { Resource } from '../../src/cli/evidence/resource.js'

export type LockKind = 'hard-link' | 'symlink' | 'rename' | 'flock' | 'fcntl'
/** The specimen is a lock that is known to be broken: the storm must catch it. */
export type StormKind = LockKind | 'specimen'

export interface WorkerSettings {
  kind: StormKind
  directory: string
  locks: number
  seed: number
  log: string
  locker: { refreshRateMs: number; timeoutIntervalMs: number; label: string }
  /** Take each lock once, in turn, and end. */
  once: boolean
}

export interface Surroundings {
  name: string
  entrance: readonly string[]
  /** In a process namespace of its own: its process ids mean nothing to the others, as if on another node. */
  otherNode: boolean
  /** A file that says how far the wall clock of this process is off; `null` where clocks cannot be changed. */
  clockFile: string | null
}

const PROGRAM = fileURLToPath(new URL('./worker.mjs', import.meta.url))
const ANOTHER_NODE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child']

export class WorkerProcess implements Victim {
  readonly name: string
  readonly settings: WorkerSettings
  readonly ready: Promise<void>
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly clockFile: string | null
  /** It was killed on purpose. */
  wasKilled = false
  isStopped = false
  acquisitions = 0
  stderr = ''
  #isReady = false
  #pid: number | undefined
  readonly #child: ChildProcess

  constructor(settings: WorkerSettings, { name, entrance, otherNode, clockFile }: Surroundings, resource: Resource) {
    this.name = name
    this.settings = settings
    this.clockFile = clockFile
    const node = [process.execPath, PROGRAM, JSON.stringify(settings)]
    const [command = '', ...args] = [...entrance, ...(otherNode ? ANOTHER_NODE : []), ...withClock(clockFile), ...node]
    this.#child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], cwd: '/' })
    this.#child.on('error', () => {}) // a message to a process that was killed
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = once(this.#child, 'exit').then(([code, signal]) => ({ code, signal }))
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (message: { ready?: boolean; acquired?: boolean }) => {
        if (message.acquired) return void this.acquisitions++
        if (message.ready !== true) {
          const answer = resource.answer(name, message as Parameters<Resource['answer']>[1])
          return void this.#child.send(answer, () => {})
        }
        this.#pid = innermost(this.#child.pid as number)
        this.#isReady = true
        resolve()
      })
    })
  }

  get canBeDisturbed(): boolean {
    return this.#isReady && !this.hasEnded && !this.wasKilled
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Resolves when the kernel has buried it. */
  async kill(): Promise<void> {
    this.wasKilled = true
    this.#signal('SIGKILL')
    await this.ended
  }

  stop(): void {
    this.isStopped = true
    this.#signal('SIGSTOP')
  }

  continue(): void {
    this.isStopped = false
    this.#signal('SIGCONT')
  }

  setClock(aheadS: number): void {
    if (this.clockFile !== null) writeFileSync(this.clockFile, `${aheadS < 0 ? '' : '+'}${aheadS}`)
  }

  /** Asks it to end what it is doing, and to end. */
  askToEnd(): void {
    this.#child.send({ stop: true }, () => {})
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.#pid ?? (this.#child.pid as number), signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** `unshare` and the like start the process itself as their child. */
function innermost(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return child === undefined ? pid : innermost(Number(child))
}

/** The wall clock alone: the monotonic clock cannot be set on a real machine either. Nor is the file server's clock. */
function withClock(clockFile: string | null): string[] {
  if (clockFile === null) return []
  const library = clockLibrary()
  if (library === null) return []
  writeFileSync(clockFile, '+0')
  const variables = ['FAKETIME_CACHE_DURATION=1', 'DONT_FAKE_MONOTONIC=1', 'NO_FAKE_STAT=1', 'NO_FAKE_UTIME=1']
  return ['env', `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${clockFile}`, ...variables]
}

/** The library behind the command `faketime`, whose file of offsets can be changed while a process runs. */
export function clockLibrary(): string | null {
  const folders = ['/usr/lib/faketime', '/usr/lib64/faketime']
  if (existsSync('/usr/lib')) {
    for (const name of readdirSync('/usr/lib')) if (name.endsWith('-linux-gnu')) folders.push(`/usr/lib/${name}/faketime`)
  }
  return folders.map((folder) => join(folder, 'libfaketimeMT.so.1')).find((file) => existsSync(file)) ?? null
}
