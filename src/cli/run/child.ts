/** The command as a child process: started, signalled, and waited for. */

import { once } from 'node:events'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { procIsOurs } from '../../drivers/identity.js'
import { awayFromMissingDirectory, missingAddressSpace, missingDescriptors, missingDirectory } from '../../drivers/threads.js'
import { runByShell } from './by-shell.js'
import type { CommandEnd, StartOrder } from './command-thread.js'
import { childrenOfOurs, send } from './family.js'
import { type MissingInterpreter, missingInterpreter } from './interpreter.js'

/** How we end: by `signal` if it is there, or else with `code`. */
export interface Ending {
  code: number
  signal: NodeJS.Signals | null
}

/** The command could not be started. */
export class NotStartedError extends Error {
  /** The command itself is there, and what is to execute it is missing. */
  readonly interpreter: MissingInterpreter | null

  constructor(
    readonly errno: string,
    command: string,
  ) {
    super(errno)
    this.interpreter = errno === 'ENOENT' ? missingInterpreter(command) : null
  }

  /** The command, or what is to execute it: a shell tells of both alike. */
  get isMissing(): boolean {
    return this.errno === 'ENOENT'
  }

  /** Nothing was wrong with the command. */
  get isRefused(): boolean {
    return REFUSALS.includes(this.errno)
  }
}

/** What the machine has no more of: descriptors, processes, memory. */
const REFUSALS = ['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM']

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
/** Of a thread for which this process stands still. */
const START_LIMIT_MS = 5000
/** Between the order to start and the process there is a fork. */
const POLL_MS = 5

/** Made before the command is to start, since a thread takes longer to start than a process. */
export class Child {
  /** `null` where there is none: then a shell waits for the command. */
  readonly #thread: Worker | null
  readonly #isOnline: Promise<boolean>
  /** The other children of this process, of which a shell may have left it some: `exec > >(logger); exec locktester run …`. */
  readonly #others: ReadonlySet<number>
  /** Once it is known. */
  #pid: number | undefined
  #isRunning = false
  #isByShell = false

  /** No other process is started afterwards. */
  constructor() {
    this.#others = new Set(childrenOfOurs())
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
    const { errno, code, signal } = await (this.#thread === null ? this.#runByShell(order) : this.#runIn(this.#thread, order))
    this.#isRunning = false
    if (errno !== null) throw new NotStartedError(errno, order.command[0] ?? '')
    return endingOf(code, signal)
  }

  /** Of the command, as soon as there is one and as long as it runs. */
  async pid(): Promise<number | null> {
    while (this.#isRunning) {
      // As the first process of a container it is given the orphans of the command as well.
      if (!this.#isByShell) this.#pid ??= childrenOfOurs().find((pid) => !this.#others.has(pid))
      if (this.#pid !== undefined) return this.#pid
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
    if (!(await this.#isOnline)) return await this.#runByShell(order)
    thread.postMessage(order)
    return (await once(thread, 'message'))[0] as CommandEnd
  }

  #runByShell(order: StartOrder): Promise<CommandEnd> {
    this.#isByShell = true
    return runByShell(order, (pid) => (this.#pid = pid))
  }
}

/** `null` without a /proc of our own, where children cannot be looked up, and where no thread can be had. */
function startThread(): Worker | null {
  if (!procIsOurs() || missingDescriptors() !== null || missingAddressSpace() !== null) return null
  try {
    return missingDirectory() === null ? newThread() : awayFromMissingDirectory(startedThread)
  } catch {
    return null
  }
}

/** A thread asks for the current directory while it starts. */
function startedThread(): Worker {
  const isStarted = new Int32Array(new SharedArrayBuffer(4))
  const thread = newThread(isStarted)
  Atomics.wait(isStarted, 0, 0, START_LIMIT_MS)
  return thread
}

function newThread(isStarted: Int32Array | null = null): Worker {
  // Part of the program locktester, which is never bundled: its files are found through the `imports` of the package.
  const thread = new Worker(new URL(import.meta.resolve('#command-thread')), { workerData: isStarted })
  thread.unref()
  return thread
}

function endingOf(code: number | null, signal: NodeJS.Signals | '' | null): Ending {
  if (code !== null) return { code, signal: null }
  if (signal === null || signal === '') return { code: NAMELESS_SIGNAL_CODE, signal: null }
  return CORE.includes(signal) ? { code: 128 + constants.signals[signal], signal: null } : { code: 0, signal }
}
