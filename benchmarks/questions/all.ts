/** The questions, in the order in which they are asked. */

import type { Question } from '../bench.js'
import { cycle } from './cycle.js'
import { directory } from './directory.js'
import { fairness } from './fairness.js'
import { handOff } from './hand-off.js'
import { heartbeat } from './heartbeat.js'
import { many } from './many.js'
import { nodes } from './nodes.js'
import { operations } from './operations.js'
import { size } from './package.js'
import { stall } from './stall.js'
import { startup } from './startup.js'

export const QUESTIONS: readonly Question[] = [
  cycle,
  stall,
  operations,
  handOff,
  nodes,
  fairness,
  many,
  heartbeat,
  directory,
  startup,
  size,
]
