/** `locktester prune`: how it is written, and what its options mean. */

import { type CommandSpec, flag, readSeconds, readText, valued } from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'
import type { PruneOptions } from './run.js'

const OLDER_THAN_DAYS = 1
const DAY_MS = 86_400_000

export const PRUNE_COMMAND: CommandSpec = {
  usage: 'prune <directories..>',
  summary: 'removes the locks that nobody holds and nobody has used for long',
  head: `Examples:
  locktester prune --dry-run /shared/ann         shows what would go
  locktester prune /shared/ann                   locks that nobody has used for ${OLDER_THAN_DAYS} day
  locktester prune --older-than 2592000 /shared  for thirty days

Usage: locktester prune DIR… [options]

Removes directories of link-based and rename-based locks. A lock in use stays, and the tokens of a new one
go on increasing. Files of advisory locks stay: they cannot be told from other files.`,
  tail: `Each removed lock is a line on standard output.

Exit codes:
${exitCodeLines([EXIT.ok, EXIT.usage, EXIT.cannotLock])}
  (${EXIT.cannotLock} when a lock that nobody holds could not be removed)`,
  positionals: { directories: { type: 'string', array: true, describe: 'Where to look' } },
  options: {
    'older-than': valued(`Only locks that were not used for SECONDS [default: ${OLDER_THAN_DAYS} day]`),
    'dry-run': flag('Remove nothing'),
  },
  read(parsed) {
    return {
      directories: (parsed.directories as string[]).map((directory) => readText('the name of a directory', directory) as string),
      olderThanMs: readSeconds('older-than', parsed['older-than']) ?? OLDER_THAN_DAYS * DAY_MS,
      dryRun: parsed['dry-run'] === true,
    } satisfies PruneOptions
  },
  run: async (options: PruneOptions) => (await import('./run.js')).runPrune(options),
}
