/** Until the command runs, a signal ends the wait; from then on it is the command's. */

import type { Child } from './child.js'
import { readStatus } from './family.js'

export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const
/** The terminal sends these to each process of the group in its foreground, so the command has it already. */
const FROM_KEYBOARD: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']

export class SignalRelay {
  readonly #controller = new AbortController()
  #received: NodeJS.Signals | null = null
  #child: Child | null = null

  constructor() {
    for (const signal of ENDING_SIGNALS) process.on(signal, () => this.receive(signal, 'own'))
    process.on('SIGCONT', () => void this.#child?.signal('SIGCONT'))
  }

  /** Aborted by a signal that came before there was a command. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get received(): NodeJS.Signals | null {
    return this.#received
  }

  passTo(child: Child): void {
    this.#child = child
  }

  /** `from`: the keeper is in no terminal's foreground, so that what it gets, the command has not got already. */
  receive(signal: NodeJS.Signals, from: 'own' | 'keeper'): void {
    if (this.#child !== null) {
      if (from === 'own' && FROM_KEYBOARD.includes(signal) && isInForeground()) return
      void this.#child.signal(signal)
      return
    }
    this.#received ??= signal
    this.#controller.abort()
  }
}

/** Is our process group the one in the foreground of a terminal? Fields 5 and 8 of proc_pid_stat(5). */
function isInForeground(): boolean {
  const fields = readStatus('self')
  if (fields === null) return process.stdin.isTTY
  const [, , group, , , foreground] = fields
  return group === foreground
}
