/** The command as a child process: started, signalled, and waited for. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { procIsOurs } from '../../drivers/identity.js'
import { obstacleToThreads } from '../../drivers/threads.js'
import { codeOf } from '../shared/bounded.js'
import type { CommandEnd, StartOrder } from './command-thread.js'
import { childrenOfOurs, send } from './family.js'

/** How we end: by `signal` if it is there, or else with `code`. */
export interface Ending {
  code: number
  signal: NodeJS.Signals | null
}

/** The command could not be started. */
export class NotStartedError extends Error {
  constructor(readonly errno: string) {
    super(errno)
  }

  get isMissing(): boolean {
    return this.errno === 'ENOENT'
  }
}

/** To end by one of these would write a core file, over the one of the command itself. */
const CORE: readonly NodeJS.Signals[] = [
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGSYS',
]
/** For a signal whose number Node does not tell. */
const NAMELESS_SIGNAL_CODE = 255
/** Between the order to start and the process there is a fork. */
const POLL_MS = 5

/** Made before the command is to start, since a thread takes longer to start than a process. */
export class Child {
  /** `null` where there is none: then Node's own way, which takes the end by a real-time signal for a good one. */
  readonly #thread: Worker | null
  readonly #isOnline: Promise<boolean>
  /** The other children of this process. */
  readonly #others: () => readonly (number | undefined)[]
  #process: ChildProcess | null = null
  #isRunning = false

  /** @param others the processes that we have started beside the command */
  constructor(others: () => readonly (number | undefined)[]) {
    this.#others = others
    this.#thread = startThread()
    this.#isOnline = new Promise((resolve) => {
      this.#thread?.once('online', () => resolve(true))
      // A thread that cannot start has done nothing: the command is started without it.
      this.#thread?.once('error', () => resolve(false))
    })
  }

  /** @throws NotStartedError */
  async run(order: StartOrder): Promise<Ending> {
    this.#isRunning = true
    const { errno, code, signal } = await (this.#thread === null ? this.#runHere(order) : this.#runIn(this.#thread, order))
    this.#isRunning = false
    if (errno !== null) throw new NotStartedError(errno)
    return endingOf(code, signal)
  }

  /** Of the command, as soon as there is one and as long as it runs. */
  async pid(): Promise<number | null> {
    while (this.#isRunning) {
      const pid = this.#process?.pid ?? childrenOfOurs().find((pid) => !this.#others().includes(pid))
      if (pid !== undefined) return pid
      await sleep(POLL_MS)
    }
    return null
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    const pid = await this.pid()
    if (pid !== null) send(pid, signal)
  }

  async #runIn(thread: Worker, order: StartOrder): Promise<CommandEnd> {
    thread.ref()
    if (!(await this.#isOnline)) return await this.#runHere(order)
    thread.postMessage(order)
    return (await once(thread, 'message'))[0] as CommandEnd
  }

  async #runHere({ command: [file = '', ...args], env, stdio }: StartOrder): Promise<CommandEnd> {
    try {
      this.#process = spawn(file, args, { env, stdio })
      const [code, signal] = await once(this.#process, 'exit')
      return { errno: null, code, signal }
    } catch (error) {
      return { errno: codeOf(error) ?? 'EINVAL', code: null, signal: null }
    }
  }
}

/**
 * `null` without a /proc of our own, where children cannot be looked up, and where no thread can be had: by `ulimit -u`, or in a
 * current directory that is gone.
 */
function startThread(): Worker | null {
  if (!procIsOurs() || obstacleToThreads() !== null) return null
  try {
    const thread = new Worker(new URL(import.meta.resolve('#command-thread')))
    thread.unref()
    return thread
  } catch {
    return null
  }
}

function endingOf(code: number | null, signal: NodeJS.Signals | '' | null): Ending {
  if (code !== null) return { code, signal: null }
  if (signal === null || signal === '') return { code: NAMELESS_SIGNAL_CODE, signal: null }
  return CORE.includes(signal) ? { code: 128 + constants.signals[signal], signal: null } : { code: 0, signal }
}
