import { describe, expect, it } from 'vitest'
import { exploreSet, SETS } from './exhaustive-sets.js'
import { SEARCH_MS_MAX } from './search-limit.js'

/**
 * Goal: no schedule of a few processes breaks a property. Method: all of them are run, on the shipping protocol, with every
 * answer that the faults of a set allow. See explorer-exhaustive.ts for what is left out, and why nothing is lost by it.
 */
describe('every schedule keeps the properties', () => {
  for (const set of SETS) {
    it(set.name, { timeout: SEARCH_MS_MAX }, async () => {
      const { states, transitions, isComplete, violation, trace } = await exploreSet(set)
      console.log(`${set.name}: ${states} states, ${transitions} transitions`)
      expect(violation?.message ?? null, trace.join('\n')).toBeNull()
      expect(isComplete).toBe(true)
    })
  }
})
