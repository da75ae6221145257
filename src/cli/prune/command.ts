/** `locktester prune`: how it is written, and what its options mean. */

import { command, flag, valued } from '../shared/command.js'
import { readSeconds, readRequiredText, readWords } from '../shared/usage.js'
import type { PruneOptions } from './run.js'

const USAGE = 'locktester prune DIR… [options]'
const DAY_MS = 86_400_000

export const PRUNE_COMMAND = command<PruneOptions>({
  command: 'prune',
  describe: 'removes the locks that no process holds or has used for long',
  usage: USAGE,
  about: `Removes directories of link-based and rename-based locks; each is a line on standard output. A lock in use stays, and the tokens of a new one go on increasing. Files of advisory locks stay: they cannot be told from other files.`,
  options: {
    'older-than': valued('Only locks that were not used for SECONDS', { defaultDescription: '1 day' }),
    'dry-run': flag('Remove nothing'),
  },
  examples: [
    ['shows what would go', 'locktester prune --dry-run /shared/ann'],
    ['locks that no process has used for a day', 'locktester prune /shared/ann'],
    ['for thirty days', 'locktester prune --older-than 2592000 /shared'],
  ],
  read(parsed) {
    const directories = readWords(parsed, { least: 1, usage: USAGE })
    return {
      directories: directories.map((directory) => readRequiredText('the name of a directory', directory)),
      olderThanMs: readSeconds('older-than', parsed['older-than']) ?? DAY_MS,
      dryRun: parsed['dry-run'] === true,
    }
  },
  run: async (options) => (await import('./run.js')).runPrune(options),
})
