/** Listening to an `AbortSignal`: a caller's, or that of a lock. */

import { clearImmediate, setImmediate } from '../drivers/clock.js'

/** By signal: what is called when it is aborted. */
const listeners = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls `listener` when the signal is aborted, and in the next turn of the event loop when it is aborted already: a process
 * that stood still finds its lock lost when it asks for the signal, and no event comes any more. The result takes that back.
 * However many listen to a signal, it has one listener of ours: from the eleventh on Node warns of a leak, and many
 * acquisitions may share a signal.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    const soon = setImmediate(listener)
    return () => clearImmediate(soon)
  }
  const all = listeners.get(signal) ?? listenTo(signal)
  all.add(listener)
  return () => {
    // A signal with a listener is kept in memory, so none stays behind. Taken back twice is taken back once: others may
    // listen by now.
    if (all.delete(listener) && all.size === 0) ignore(signal)
  }
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>()
  listeners.set(signal, all)
  signal.addEventListener('abort', tell)
  return all
}

function ignore(signal: AbortSignal): void {
  listeners.delete(signal)
  signal.removeEventListener('abort', tell)
}

function tell(this: AbortSignal): void {
  for (const listener of [...(listeners.get(this) ?? [])]) listener()
}
