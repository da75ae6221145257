/**
 * Goal: the lock of a node that is dead, frozen or cut off goes to a waiter, in bounded time; the holder that lost it is
 * told before that, and nothing that it does later harms its successor.
 * Method: a holder on A, a waiter on B, and the lab takes A away. The order of events is that of their messages.
 */

import { describe } from 'vitest'
import { askForTakeover } from './questions/takeover.js'
import { connectLab, isSoak, TOKEN_KINDS, V3, V3_STALE, V42 } from './support.js'

const lab = await connectLab()

for (const [index, place] of [V3, V42, V3_STALE].entries()) {
  // A node that is killed must boot again: the short run does it once for each place, with another kind each time.
  const kinds = isSoak ? TOKEN_KINDS : TOKEN_KINDS.slice(index, index + 1)
  describe(`on ${place.name}`, () => askForTakeover(lab, place, kinds))
}
