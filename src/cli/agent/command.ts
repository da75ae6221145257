/** `locktester agent`: how it is written. People have no use for it. */

import type { Role } from '../remote/worker.js'
import { command } from '../shared/command.js'
import { readWords } from '../shared/usage.js'

const USAGE = 'locktester agent'

export const AGENT_COMMAND = command({
  command: 'agent',
  describe: false,
  usage: USAGE,
  about: 'The other end of locktester nodes and stress.',
  options: { worker: { type: 'string', requiresArg: true, choices: ['holder', 'hammer'], hidden: true } },
  examples: [],
  read(parsed) {
    readWords(parsed, { most: 0, usage: USAGE })
    return { worker: parsed.worker as Role | undefined }
  },
  run: async ({ worker }) => (await import('./run.js')).runAgent(worker),
})
