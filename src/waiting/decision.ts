/**
 * The one question of waiting: what next, and when? A pure function of what the waiter knows. How it gets to know that, and
 * how it does what is decided, is in `waiter.ts`.
 */

/** What a waiter knows. Times are those of `monotonicMs()`. */
export interface Known {
  /** Since when the lock is free, as far as was seen; `null`: it is held. */
  freeMs: number | null
  /** For so long after that it is left to those that came before. */
  turnMs: number
  /** When the tickets are to be read again: some that came before may have gone. `null`: what is known of them will do. */
  standMs: number | null
  /** When a cheap look is due; `null`: a watch tells. */
  lookMs: number | null
  /** When a try is due, whatever was seen. */
  tryMs: number
}

/** Why it is worth trying. */
export type Occasion = 'released' | 'late'

/** What became of a lock since a try. `released`: it is left to those that came before, or is being tried. */
export type Since = 'nothing' | 'released' | 'changed hands'

export type Decision =
  | { kind: 'try'; occasion: Occasion }
  /** Read the tickets. */
  | { kind: 'stand' }
  | { kind: 'look' }
  /** Nothing to do before then, unless the watch tells something new. */
  | { kind: 'watch'; untilMs: number }

export function decide({ freeMs, turnMs, standMs, lookMs, tryMs }: Known, nowMs: number): Decision {
  const dueMs = freeMs === null ? Number.POSITIVE_INFINITY : freeMs + turnMs
  if (dueMs <= nowMs) return { kind: 'try', occasion: 'released' }
  // While it is left to others, no try is needed that would find a holder that died.
  const lateMs = freeMs === null ? tryMs : dueMs
  if (lateMs <= nowMs) return { kind: 'try', occasion: 'late' }
  if (standMs !== null && standMs <= nowMs) return { kind: 'stand' }
  if (lookMs !== null && lookMs <= nowMs) return { kind: 'look' }
  return { kind: 'watch', untilMs: Math.min(dueMs, lateMs, standMs ?? dueMs, lookMs ?? dueMs) }
}
