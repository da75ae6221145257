/** `locktester prune`: how it is written, and what its options mean. */

import { command, flag, valued } from '../shared/command.js'
import { readSeconds, readRequiredText, readWords } from '../shared/usage.js'
import type { PruneOptions } from './run.js'

const USAGE = 'locktester prune DIR… [options]'
const DAY_MS = 86_400_000

export const PRUNE_COMMAND = command<PruneOptions>({
  command: 'prune',
  describe: 'removes locks that are free and were not used for long',
  usage: USAGE,
  about: `Removes the directories of link-based and rename-based locks, and prints a line for each. A lock in use stays. When a lock is made anew, its tokens go on increasing. Files of advisory locks stay: they cannot be told from other files.`,
  options: {
    'older-than': valued('Only locks that were not used for SECONDS', { defaultDescription: '1 day' }),
    'dry-run': flag('Remove nothing'),
  },
  examples: [
    ['shows what would be removed', 'locktester prune --dry-run /shared/ann'],
    ['removes locks that were not used for a day', 'locktester prune /shared/ann'],
    ['removes locks that were not used for thirty days', 'locktester prune --older-than 2592000 /shared'],
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
