/** Where lines go: the log file or the system log. No method throws or rejects. */

import { clearTimeout, setImmediate, setTimeout } from '../drivers/clock.js'
import { printable } from './printable.js'
import { say } from './talk.js'

export interface Sink {
  /** `line` ends with a newline. */
  write(line: string): void
  /** The last chance before the process ends: writes what is still here, blocking, unless the log hangs. */
  flushSync(): void
  /** Writes what is still here and gives everything back; waits two seconds at the most. */
  close(): Promise<void>
}

/** An operation that takes longer than this is taken for stuck: a caller that waits for it might wait for ever. */
const STUCK_AFTER_MS = 500

/**
 * Calls back once an operation that begins now must be taken for stuck; returns what to call when it is done. The time
 * only runs out when the event loop turns: as long as the program blocks it, we would not have heard of the end either.
 */
export function whenStuck(callback: () => void): () => void {
  let done = false
  const check = () => {
    if (!done) callback()
  }
  // The immediate comes after the loop has looked for news, the timer before that.
  const timer = setTimeout(() => setImmediate(check), STUCK_AFTER_MS).unref()
  return () => {
    done = true
    clearTimeout(timer)
  }
}

const CLOSE_MS_MAX = 2000

/** Resolves with `work`, or after two seconds. */
export function withinCloseTime(work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, CLOSE_MS_MAX)
    void work.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** Kept for the whole process: lockers come and go, and each has its sink. */
const complaintsMade = new Set<string>()

/** Says once, on standard error, that and why a log cannot be written; then keeps quiet, for a lock must not drown in it. */
export class Complaint {
  readonly #what: string

  constructor(what: string) {
    this.#what = what
  }

  get made(): boolean {
    return complaintsMade.has(this.#what)
  }

  make(cause: string, remedy: string): void {
    if (this.made) return
    complaintsMade.add(this.#what)
    say(`mountlock: ${printable(this.#what)} (${printable(cause)}): ${remedy}; the locks work on without it.`)
  }
}
