/**
 * Goal: takeovers from a dead node take about a timeout-interval each time: none waits for what its server keeps for that node.
 * Method: a holder on A, a waiter on B, and the lab kills A, over and over: most often where the server keeps the most, on NFSv4.2.
 */

import { describe } from 'vitest'
import { askForTakeovers } from '../questions/takeover.js'
import { TOKEN_KINDS, V3, V42 } from '../support.js'
import { bootOwnLab } from './own-lab.js'

/** Of each kind on each version; where one was once seen to take longer, more of them. */
const [TAKEOVERS, MORE] = [6, 12]

const lab = await bootOwnLab('takeovers', {})

for (const place of [V42, V3]) {
  describe(`on ${place.name}`, () => {
    for (const kind of TOKEN_KINDS) askForTakeovers(lab, place, kind, place === V42 && kind === 'rename' ? MORE : TAKEOVERS)
  })
}
