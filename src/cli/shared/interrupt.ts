/**
 * Ctrl+C and its kin. The first signal asks for an orderly end: the code that waits is told, releases and cleans up. The
 * second one ends the process at once. A command that passes signals through to another program must not use it.
 */

import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { onAbort } from '../../locker/abort-listeners.js'
import { EXIT } from './exit-codes.js'
import { onOutputObstacle, outputObstacle } from './streams.js'

/** What `race` rejects with once a signal has come, or the reader of our output has gone. */
export class Interrupted extends Error {}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

export class Interrupt {
  readonly #controller = new AbortController()
  #received: NodeJS.Signals | null = null

  /** @param needsReader the work has no use when no program reads what it says, and ends as if asked to. @default true */
  constructor({ needsReader = true }: { needsReader?: boolean } = {}) {
    for (const signal of SIGNALS) process.on(signal, () => this.#receive(signal))
    if (needsReader) onOutputObstacle(() => this.#controller.abort())
  }

  /** The signal that came first, if any. */
  get received(): NodeJS.Signals | null {
    return this.#received
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** `promise`, or Interrupted as soon as a signal comes; what `promise` does afterwards no longer concerns the caller. */
  race<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {})
    return new Promise<T>((resolve, reject) => {
      const stop = () => reject(new Interrupted())
      if (this.signal.aborted) stop()
      promise.then(resolve, reject).finally(onAbort(this.signal, stop))
    })
  }

  /** Resolves when a signal comes, or after `limitMs` (never on its own when `null`). */
  wait(limitMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = limitMs === null ? undefined : setTimeout(resolve, limitMs)
      onAbort(this.signal, () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Ends the process: as the signal would have that came, or else with `code`. @param code `null`: the work was cut short */
  async end(code: number | null, isStuck = false): Promise<void> {
    if (this.#received !== null) dieBySignal(this.#received)
    else if (code === null && outputObstacle() === 'gone') dieBySignal('SIGPIPE')
    else await endProcess(code ?? EXIT.notWritten, isStuck)
  }

  #receive(signal: NodeJS.Signals): void {
    if (this.#received !== null) dieBySignal(signal)
    this.#received = signal
    this.#controller.abort()
  }
}

/** Does the work and ends the process with the exit code that it comes to, or as a signal would have that comes before. */
export async function runInterruptibly(
  work: (signal: AbortSignal) => Promise<number>,
  needs?: { needsReader: boolean },
): Promise<void> {
  const interrupt = new Interrupt(needs)
  let code: number | null = null
  try {
    code = await interrupt.race(work(interrupt.signal))
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
  }
  if (code === null) await interrupt.end(null)
  else await endProcess(code)
}

/** Ends the process as the signal would have without us, so that a shell sees it. Nothing else is run. */
export function dieBySignal(signal: NodeJS.Signals): void {
  // Node ignores SIGPIPE until a listener to it has come and gone. To SIGKILL nothing can listen.
  if (signal === 'SIGPIPE') process.on(signal, () => {})
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  // The first process of a namespace (a container's) is immune to it.
  setTimeout(() => process.exit(128 + constants.signals[signal]), IMMUNE_AFTER_MS)
}

const IMMUNE_AFTER_MS = 200

/** File operations that are still under way get this long before they count as hung. */
const PENDING_LIMIT_MS = 2000

/**
 * Ends the process with `code`. `process.exit` joins the threads of libuv's pool and would wait for ever for a system call
 * that hangs on a dead mount; only a signal ends such a process.
 */
export async function endProcess(code: number, isStuck = false): Promise<void> {
  const isPending = () => process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
  const deadlineMs = performance.now() + PENDING_LIMIT_MS
  while (!isStuck && isPending() && performance.now() < deadlineMs) await sleep(5)
  if (isStuck || isPending()) dieBySignal('SIGTERM')
  else process.exit(code)
}
