/**
 * Judges the counter files of a storm, which nothing but the lock protects: no increment is lost. It goes by the logs alone, as the
 * checker does that `locktester stress` has for everything else.
 */

import { check, type Violation } from '../../src/cli/evidence/checker.js'
import type { Evidence } from '../../src/cli/evidence/records.js'

/** All that is wrong with a storm. */
export function checkStorm(evidence: Evidence): Violation[] {
  return [...check(evidence), ...checkCounters(evidence)].sort((a, b) => a.atMs - b.atMs)
}

/** A process that was killed between its two lines about a write may have written or not; every other one must be seen. */
function checkCounters({ processes }: Evidence): Violation[] {
  const found: Violation[] = []
  const events = processes.flatMap(({ name, events }) => events.map((event) => ({ ...event, name })))
  const possible = new Map<number, Set<number>>()
  for (const event of events.sort((a, b) => a.atMs - b.atMs)) {
    const { lock, atMs, name } = event
    const values = possible.get(lock) ?? new Set([0])
    if (event.type === 'read') {
      const text = `${name} read ${event.value} where ${[...values].join(' or ')} had been written`
      if (!values.has(event.value)) found.push({ rule: 'lost-increment', lock, atMs, text })
      possible.set(lock, new Set([event.value]))
    } else if (event.type === 'writing') {
      possible.set(lock, new Set([...values, event.value]))
    } else if (event.type === 'wrote') {
      possible.set(lock, new Set([event.value]))
    }
  }
  return found
}
