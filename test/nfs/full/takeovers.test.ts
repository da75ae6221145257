/**
 * Goal: takeovers from a dead node take about a timeout-interval each time: none waits for what its server keeps for that node.
 * Method: a holder on A, a waiter on B, and the lab kills A, over and over, where the server keeps the most: NFSv4.2.
 */

import { describe } from 'vitest'
import { askForTakeovers } from '../questions/takeover.js'
import { TOKEN_KINDS, V42 } from '../support.js'
import { bootOwnLab } from './own-lab.js'

const TAKEOVERS = 12

const lab = await bootOwnLab('takeovers', {})

for (const kind of TOKEN_KINDS)
  describe(`on ${V42.name}`, () => askForTakeovers(lab, V42, kind, kind === 'rename' ? TAKEOVERS : TAKEOVERS / 2))
