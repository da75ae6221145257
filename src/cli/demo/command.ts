/** `locktester demo`: how it is written. */

import type { CommandSpec } from '../shared/command.js'
import { exitCodeLines } from '../shared/exit-codes.js'

export const DEMO_COMMAND: CommandSpec = {
  usage: 'demo',
  summary: 'two terminals, played in a temporary directory',
  head: `Examples:
  locktester demo

Plays the dialogue of two nodes, and a crash, with real processes and locks.`,
  tail: `Exit codes:\n${exitCodeLines([0, 69])}`,
  options: {},
  read: () => null,
  run: async () => (await import('./run.js')).runDemo(),
}
