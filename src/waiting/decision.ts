/**
 * The one question of waiting: try now, or watch on, and until when? A pure function of what the waiter knows. How it gets to
 * know that, and how it watches, is in `waiter.ts`; whether the lock is left to others is known to a {@link Turn}.
 */

/** What a waiter knows. Times are those of `monotonicMs()`. */
export interface Known {
  /** The last try was in vain then, or another process was seen to take the lock since. */
  sinceMs: number
  /** So long after that it is late: a release may have been missed, or the holder may have died. */
  intervalMs: number
  /** A release that was seen, unless another process was seen to use it. `spreadMs`: how long after it this waiter tries. */
  release: { seenMs: number; spreadMs: number } | null
  /** For how long from now on the lock is left to others; 0 most of the time. */
  leaveMs: number
}

/** Why it is worth trying. */
export type Occasion = 'released' | 'late'

export type Decision =
  | { kind: 'try'; occasion: Occasion }
  /**
   * Nothing to do before then, unless the watch tells something new. `standsBack`: it would be time, but the lock is
   * left to others.
   */
  | { kind: 'watch'; untilMs: number; standsBack: boolean }

export function decide({ sinceMs, intervalMs, release, leaveMs }: Known, nowMs: number): Decision {
  const [occasion, dueMs]: [Occasion, number] =
    release === null ? ['late', sinceMs + intervalMs] : ['released', release.seenMs + release.spreadMs]
  if (dueMs > nowMs) return { kind: 'watch', untilMs: dueMs, standsBack: false }
  // A release that was seen while the lock is left to others does not get here: it is theirs.
  if (occasion === 'late' && leaveMs > 0) return { kind: 'watch', untilMs: nowMs + leaveMs, standsBack: true }
  return { kind: 'try', occasion }
}
