/** Goal: no lock is left held by no process because an error was believed. Method: see explorer-refusals.ts. */

import { describe, expect, it } from 'vitest'
import { CLAIMS, exploreRefusals } from './explorer-refusals.js'
import { shippingProtocol } from './protocol.js'
import { SEARCH_MS_MAX } from './search-limit.js'

const isFull = process.env.MOUNTLOCK_SOAK !== undefined

describe('a change that is done and answered with an error leaves no lock held without a holder for longer than two intervals', () => {
  for (const claim of CLAIMS)
    for (const isOneMachine of [true, false])
      it(`${claim}, ${isOneMachine ? 'on one machine' : 'between nodes'}`, { timeout: SEARCH_MS_MAX }, () => {
        const { lives, changes, failure } = exploreRefusals(claim, isOneMachine, shippingProtocol, isFull)
        console.log(`${claim}: ${lives} lives, each of ${changes.length} changes`)
        expect(failure).toBeNull()
      })
})
