/** `locktester demo`: how it is written. */

import { command } from '../shared/command.js'
import { readWords } from '../shared/usage.js'

const USAGE = 'locktester demo'

export const DEMO_COMMAND = command({
  command: 'demo',
  describe: 'two terminals, played in a temporary directory',
  usage: USAGE,
  about: 'Plays the dialogue of two nodes, and a crash, with real processes and locks.',
  options: {},
  examples: [],
  read(parsed) {
    readWords(parsed, { most: 0, usage: USAGE })
    return null
  },
  run: async () => (await import('./run.js')).runDemo(),
})
