/**
 * What the harness asks of the processes in which the candidates live. One JSON object per line in each direction, in
 * turn: `{"ask": …}` and then `{"value": …}` or `{"error": …}`. Node, Python and C programs answer alike.
 */

export interface Requests {
  /** Makes a candidate ready in a directory. Those below are about the candidate that is named. */
  open: { ask: { candidate: string; directory: string; refreshMs?: number | undefined }; value: null }
  close: { ask: { candidate: string }; value: null }
  /** Acquires and releases one lock again and again. The time of each cycle, in microseconds. */
  block: { ask: { candidate: string; mode: Mode; forMs: number; most: number }; value: number[] }
  /** Takes turns with others from one moment to another, on the machine's monotonic clock: when each turn began and ended. */
  contend: {
    ask: { candidate: string; fromUs: number; toUs: number; holdMs: number; pauseMs: number }
    value: [acquiredUs: number, releasedUs: number][]
  }
  /** Takes the lock, and keeps it for so long. */
  keep: { ask: { candidate: string; forMs: number }; value: null }
  /** Waits for the lock and gives it back at once. */
  wait: { ask: { candidate: string }; value: null }
  /** Takes many locks, and keeps them: how long that took, in milliseconds. */
  hold: { ask: { candidate: string; count: number }; value: number }
  /** Releases them. */
  drop: { ask: { candidate: string }; value: number }
  /** Bytes of heap in use after a collection. */
  heap: { ask: object; value: number }
  /** The longest time for which the event loop stood still during so many cycles, in milliseconds. */
  stall: { ask: { candidate: string; cycles: number }; value: number }
  /** Leaves a mark in the trace of system calls. */
  mark: { ask: { path: string }; value: null }
  /** The process ends, with all that it holds. */
  exit: { ask: object; value: null }
}

export type Mode = 'blocking' | 'asynchronous'

/** A path that does not exist; asking for it shows in a trace. */
export const markPath = (name: string) => `/mountlock-benchmark-mark/${name}`
