/**
 * `ulimit -f`: a write beyond it is answered with EFBIG, but only where the signal that comes first, SIGXFSZ, does not end the
 * process. To a library that writes small files of its own in the middle of other people's work, the error is the better answer.
 */

import { readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

let isHeard = false

/** From now on a write beyond the limit fails with EFBIG, and ends nothing. Children get the usual signal again. */
export function hearFileSizeSignal(): void {
  // Signals reach the listeners of the main thread only. Node does not stay alive for a listener.
  if (isHeard || !isMainThread) return
  isHeard = true
  process.on('SIGXFSZ', () => {})
}

/** Where no listener can be set, writes ask before. */
export const mustAskForLimit = !isMainThread

const LIMIT = /^Max file size +(\d+|unlimited)/m

/** How large a file may become, in bytes. */
export function fileSizeMax(): number {
  try {
    const limit = LIMIT.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return limit === undefined || limit === 'unlimited' ? Infinity : Number(limit)
  } catch {
    return Infinity
  }
}
