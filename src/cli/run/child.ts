/** The command as a child process: started, signalled, and, when it must not go on, terminated with all that it started. */

import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { procIsOurs } from '../../drivers/identity.js'
import { codeOf } from '../shared/bounded.js'
import { Family } from './family.js'

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
const POLL_MS = 50

export class Child {
  readonly #process: ChildProcess
  /** @throws NotStartedError */
  readonly ending: Promise<Ending>
  #terminating: Promise<void> = Promise.resolve()

  /** @throws NotStartedError */
  constructor(command: readonly string[], env: NodeJS.ProcessEnv) {
    this.#process = start(command, env)
    this.ending = new Promise((resolve, reject) => {
      this.#process.once('error', (error) => reject(new NotStartedError(codeOf(error) ?? 'EINVAL')))
      this.#process.once('exit', (code, signal) => resolve(endingOf(code, signal)))
    })
  }

  /** Once {@link terminate} has done its work. */
  get allTerminated(): Promise<void> {
    return this.#terminating
  }

  signal(signal: NodeJS.Signals): void {
    try {
      this.#process.kill(signal)
    } catch {} // it may run as another user by now (sudo)
  }

  /** TERM to it and to all that it started; KILL to those that are still there after `killAfterMs`. */
  terminate(killAfterMs: number): void {
    this.#terminating = this.#terminate(killAfterMs)
  }

  /** Without a /proc, or with that of another pid namespace, whose numbers mean other processes here: the command, and nothing that it started. */
  get #alone(): Pick<Family, 'signal' | 'lives'> {
    const lives = () => this.#process.exitCode === null && this.#process.signalCode === null
    return { signal: (signal) => this.signal(signal), lives }
  }

  async #terminate(killAfterMs: number): Promise<void> {
    const { pid } = this.#process
    if (pid === undefined) return
    const family = procIsOurs() ? new Family(pid) : this.#alone
    family.signal('SIGTERM')
    family.signal('SIGCONT') // who is stopped would never notice
    const deadlineMs = performance.now() + killAfterMs
    while (family.lives() && performance.now() < deadlineMs) await sleep(Math.min(POLL_MS, killAfterMs))
    family.signal('SIGKILL')
  }
}

function start([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  try {
    return spawn(file, args, { stdio: 'inherit', env })
  } catch (error) {
    throw new NotStartedError(codeOf(error) ?? 'EINVAL') // some errors come at once, such as a name with a NUL
  }
}

function endingOf(code: number | null, signal: NodeJS.Signals | null): Ending {
  if (signal === null) return { code: code ?? 0, signal: null }
  return CORE.includes(signal) ? { code: 128 + constants.signals[signal], signal: null } : { code: 0, signal }
}
