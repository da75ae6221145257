import { describe, expect, it } from 'vitest'
import { MUTATIONS } from './mutation-list.js'
import { catchSpecimens } from './specimens/catch.js'
import { catchMutation } from './table.js'

/** A check that cannot fail proves nothing: the same explorers must find what is wrong with locks that are. */
describe('the harness catches', () => {
  it('locks at a fixed path, proper-lockfile among them', { timeout: 60_000 }, async () => {
    for (const { system, caught, explored } of await catchSpecimens()) {
      console.log(`${system}: ${caught} (${explored})`)
      expect(caught, system).not.toBeNull()
    }
  })

  for (const mutation of MUTATIONS) {
    const expected = mutation.redundantBecause === null ? 'is caught' : `makes no difference: ${mutation.redundantBecause}`
    it(`our protocol without one step: ${mutation.name} (${expected})`, { timeout: 300_000 }, async () => {
      const { caught, explored } = await catchMutation(mutation)
      console.log(`${mutation.name}: ${caught} (${explored})`)
      if (mutation.redundantBecause === null) expect(caught).not.toBeNull()
      else expect(caught).toBeNull()
    })
  }
})
