/**
 * How long a silence means what. A holder stops being sure a margin *before* its timeout-interval is over, a judge
 * convicts a margin *after*: what lies between is clock drift and scheduling.
 */

/**
 * Chosen, not measured: of 30 s it leaves 3 s on each side. Clocks take less than a hundredth of that (the kernel slews them
 * by 500 ppm at the most, 15 ms in 30 s); the rest is for a process that gets no processor between its last look at the lease
 * and its write.
 */
const MARGIN = 0.1

/** How long after the start of its last completed heartbeat a holder is sure of its locks. */
export const leaseMs = (timeoutIntervalMs: number) => timeoutIntervalMs * (1 - MARGIN)

/** How long a heartbeat counter must stand still before a judge, by its own clock, convicts. */
export const silenceMs = (timeoutIntervalMs: number) => timeoutIntervalMs * (1 + MARGIN)

/** When a heartbeat was: by every clock that can tell. */
export interface BeatTime {
  ownMs: number
  wallMs: number
  /** The server's clock: the modification time that the write left. */
  serverMs: number
}

/**
 * By how much a time stamp may be off: some servers keep them in whole seconds, or in twos. Within that time two writes may
 * look like one to a client that believes its cache.
 */
export const coarsenessMs = (serverMs: number) => (serverMs % 1000 === 0 ? COARSE_MS : 0)
const COARSE_MS = 2000

/**
 * The longest time that may have passed between two heartbeats, by any clock. A machine that stood still (a paused VM)
 * does not see it on its own clock, but the server's went on, and its wall clock may have been set since. A step of
 * one of these clocks looks the same, and then the lock is given up too: when in doubt, it is not ours.
 */
export function elapsedMs(from: BeatTime, to: BeatTime): number {
  return Math.max(to.ownMs - from.ownMs, to.wallMs - from.wallMs, to.serverMs - from.serverMs)
}
