/** The lock test, the command without a name: how it is written, and what its options mean. */

import { CONFIG_OPTION, command, DEFAULT_COMMAND, flag, JSON_OPTION, QUIET_OPTION, valued } from '../shared/command.js'
import { type Parsed, readFileName, readSeconds, readText, readWords, UsageError } from '../shared/usage.js'
import type { TestOptions } from './run.js'

const USAGE = 'locktester [DIR] [options]'

export const TEST_COMMAND = command<TestOptions>({
  command: DEFAULT_COMMAND,
  describe: false, // its help is the one of the whole program
  usage: `${USAGE}\nor:    locktester COMMAND …    (locktester COMMAND --help)`,
  about: `Acquires an advisory and a link-based lock in DIR and holds them until Ctrl+C. On the next node the same locks must be refused: the types that are, your file system appears to support. DIR must exist; without it, it is $RSTUDIO_DATA_HOME, else $XDG_DATA_HOME/rstudio, else ~/.local/share/rstudio, which is created. (A directory called like a command: ./demo)`,
  options: {
    config: CONFIG_OPTION,
    all: flag('Try every variant: flock, fcntl, hard link, symlink, rename'),
    hold: valued('Hold what was acquired for SECONDS, then release'),
    'no-hold': flag('Release at once what was acquired'),
    json: JSON_OPTION,
    quiet: QUIET_OPTION,
  },
  examples: [
    ['in your client-state directory: run it on two nodes, as the same user', 'locktester'],
    ['in another directory on the shared mount', 'locktester /shared/ann'],
    ['every variant of both types', 'locktester --all /shared/ann'],
    ['for scripts', 'locktester --no-hold --json .'],
    ['two terminals, played in a temporary directory', 'locktester demo'],
    ['a command under a lock', 'locktester run /shared/ann/nightly.lock backup.sh'],
  ],
  notes: '--json: docs/schema/test.json; nothing where it ends before all locks were tried',
  read: readTestOptions,
  run: async (options) => (await import('./run.js')).runTest(options),
})

/** @throws UsageError */
function readTestOptions(parsed: Parsed): TestOptions {
  const [directory] = readWords(parsed, { name: 0, most: 1, usage: USAGE })
  if (parsed.hold !== undefined && parsed['no-hold']) throw new UsageError('--hold and --no-hold exclude each other')
  return {
    directory: readText('the name of a directory', directory),
    config: readFileName('config', parsed),
    all: parsed.all === true,
    json: parsed.json === true,
    quiet: parsed.quiet === true,
    holdMs: parsed['no-hold'] ? 0 : readSeconds('hold', parsed.hold),
  }
}
