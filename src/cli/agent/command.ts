/** `locktester agent`: how it is written. People have no use for it. */

import type { Role } from '../remote/worker.js'
import type { CommandSpec } from '../shared/command.js'

export const AGENT_COMMAND: CommandSpec = {
  usage: 'agent',
  summary: false,
  head: 'Usage: locktester agent\n\nThe other end of locktester nodes and stress.',
  tail: '',
  options: { worker: { choices: ['holder', 'hammer'] as const, hidden: true } },
  read: ({ worker }) => ({ worker: worker as Role | undefined }),
  run: async ({ worker }: { worker: Role | undefined }) => {
    await (await import('./run.js')).runAgent(worker)
  },
}
