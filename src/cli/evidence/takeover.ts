/** Takeovers, from the log alone. */

import type { Section } from './checker.js'

export interface Takeover {
  /** The holder that was killed while it held the lock, or had lost it. */
  from: Section
  to: Section
  /** From when `from` was certainly the holder for the last time. */
  afterMs: number
}

/** Each acquisition of a lock whose holder before had not begun to release it. */
export function takeoversOf(sections: readonly Section[]): Takeover[] {
  const found: Takeover[] = []
  const last = new Map<number, Section>()
  for (const to of sections.toSorted((a, b) => a.acquiredMs - b.acquiredMs)) {
    const from = last.get(to.lock)
    last.set(to.lock, to)
    if (from === undefined || from.sureUntilMs === null) continue
    const isReleased = from.releasingMs !== null && from.releasingMs < to.acquiredMs
    if (!isReleased) found.push({ from, to, afterMs: Math.max(0, to.acquiredMs - from.sureUntilMs) })
  }
  return found
}
