import { describe, expect, it } from 'vitest'
import { MUTATIONS } from './mutation-list.js'
import { SEARCH_MS_MAX } from './search-limit.js'
import { catchSpecimens } from './specimens/catch.js'
import { catchExhaustively, catchRandomly } from './table.js'

/** A check that cannot fail proves nothing: the same explorers must find what is wrong with locks that are. */
describe('the harness catches', () => {
  it('locks at a fixed path, proper-lockfile among them, exhaustively and at random', { timeout: SEARCH_MS_MAX }, () => {
    for (const { system, isCaught, exhaustive, random } of catchSpecimens()) {
      console.log(`${system}: ${exhaustive}; ${random}`)
      expect(isCaught, system).toBe(true)
    }
  })

  for (const mutation of MUTATIONS) {
    const { name, caughtIn, redundantBecause } = mutation
    const how = caughtIn === null ? 'at random' : `exhaustively, in ${caughtIn}`
    const expected = redundantBecause === null ? `is caught ${how}` : `makes no difference: ${redundantBecause}`
    it(`our protocol without one step: ${name} (${expected})`, { timeout: SEARCH_MS_MAX }, async () => {
      const { isCaught, exhaustive } = await catchExhaustively(mutation)
      console.log(`${name}: ${exhaustive}`)
      expect(isCaught).toBe(caughtIn !== null)
      if (caughtIn !== null) return
      const sampled = await catchRandomly(mutation)
      console.log(`${name}: ${sampled.random}`)
      expect(sampled.isCaught).toBe(redundantBecause === null)
    })
  }
})
