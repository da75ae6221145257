/** The lock test, the command without a name: how it is written, and what its options mean. */

import { CONFIG_OPTION, command, DEFAULT_COMMAND, flag, JSON_OPTION, QUIET_OPTION, valued } from '../shared/command.js'
import { type Parsed, readFileName, readSeconds, readText, readWords, UsageError } from '../shared/usage.js'
import type { TestOptions } from './run.js'

const USAGE = 'locktester [DIR] [options]'
const WORKBENCH_USAGE = 'locktester --workbench [FILE] [options]'

export const TEST_COMMAND = command<TestOptions>({
  command: DEFAULT_COMMAND,
  describe: false, // its help is the one of the whole program
  usage: `${USAGE}\nor:    ${WORKBENCH_USAGE}\nor:    locktester COMMAND …    (locktester COMMAND --help)`,
  about: `Acquires an advisory and a link-based lock in DIR and holds them until Ctrl+C. On the next node the same locks must be refused: then your file system appears to support them. DIR must exist. Without DIR it is $RSTUDIO_DATA_HOME, else $XDG_DATA_HOME/rstudio, else ~/.local/share/rstudio, which is created. (A directory called like a command: ./demo)`,
  options: {
    config: CONFIG_OPTION,
    workbench: flag("Take the FILE of Workbench's own locktester, opposite it"),
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
    ["with Workbench's own locktester on the next node", 'locktester --workbench'],
    ['for scripts', 'locktester --no-hold --json .'],
    ['two terminals, played in a temporary directory', 'locktester demo'],
    ['a command under a lock', 'locktester run /shared/ann/nightly.lock backup.sh'],
  ],
  notes: '--json: docs/schema/test.json; nothing where it ends before all locks were tried',
  read: readTestOptions,
  run: async (options) =>
    options.workbench ? (await import('./workbench.js')).runWorkbenchTest(options) : (await import('./run.js')).runTest(options),
})

/** @throws UsageError */
function readTestOptions(parsed: Parsed): TestOptions {
  const workbench = parsed.workbench === true
  const [named] = readWords(parsed, { name: 0, most: 1, usage: workbench ? WORKBENCH_USAGE : USAGE })
  if (workbench && parsed.all) throw new UsageError('--workbench and --all exclude each other')
  if (parsed.hold !== undefined && parsed['no-hold']) throw new UsageError('--hold and --no-hold exclude each other')
  return {
    directory: workbench ? undefined : readText('the name of a directory', named),
    ...(workbench && { workbench, file: readText('the name of a file', named) }),
    config: readFileName('config', parsed),
    all: parsed.all === true,
    json: parsed.json === true,
    quiet: parsed.quiet === true,
    holdMs: parsed['no-hold'] ? 0 : readSeconds('hold', parsed.hold),
  }
}
