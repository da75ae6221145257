/** The lock test, the command without a name: how it is written, and what its options mean. */

import type { Options } from 'yargs'
import {
  type CommandSpec,
  CONFIG_OPTION,
  flag,
  JSON_OPTION,
  QUIET_OPTION,
  readFileName,
  readSeconds,
  readText,
  UsageError,
  valued,
} from '../shared/command.js'
import { exitCodeLines } from '../shared/exit-codes.js'
import type { TestOptions } from './run.js'

const TEST_OPTIONS = {
  config: CONFIG_OPTION,
  all: flag('Try every variant: flock, fcntl, hard link, symlink, rename'),
  hold: valued('Hold what was acquired for SECONDS, then release'),
  'no-hold': flag('Release at once what was acquired'),
  json: JSON_OPTION,
  quiet: QUIET_OPTION,
} as const satisfies Record<string, Options>

export const TEST_COMMAND: CommandSpec = {
  usage: '$0 [directory]',
  summary: false, // its help is the one of the whole program
  head: `Examples:
  locktester                     the test, in your client-state directory: run it on two nodes, as the same user
  locktester /shared/ann         the test, in another directory on the shared mount
  locktester --all /shared/ann   every variant of both types
  locktester --no-hold --json .  for scripts
  locktester demo                two terminals, played in a temporary directory
  locktester run /shared/ann/nightly.lock -- backup.sh   a command under a lock

Usage: locktester [DIR] [options]
       locktester COMMAND …    (locktester COMMAND --help)

Acquires an advisory and a link-based lock in DIR and holds them until Ctrl+C. On the next node the same locks must be refused:
the types that are, your file system appears to support. DIR must exist; without it, it is $RSTUDIO_DATA_HOME, else
$XDG_DATA_HOME/rstudio, else ~/.local/share/rstudio, which is created. (A directory called like a command: ./demo)`,
  tail: `Exit codes:
${exitCodeLines()}
Cut short by a signal, it ends by that signal.

--json: docs/schema/test.json; nothing where it ends before all locks were tried`,
  positionals: { directory: { type: 'string', describe: 'The directory under test' } },
  options: TEST_OPTIONS,
  read: readTestOptions,
  run: async (options: TestOptions) => (await import('./run.js')).runTest(options),
}

/** @throws UsageError */
function readTestOptions(parsed: Record<string, unknown>): TestOptions {
  if (parsed.hold !== undefined && parsed['no-hold']) throw new UsageError('--hold and --no-hold exclude each other')
  return {
    directory: readText('the name of a directory', parsed.directory),
    config: readFileName('config', parsed),
    all: parsed.all === true,
    json: parsed.json === true,
    quiet: parsed.quiet === true,
    holdMs: parsed['no-hold'] ? 0 : readSeconds('hold', parsed.hold),
  }
}
