/** `locktester run`: how it is written, and what its options mean. */

import type { LockType } from '../../types.js'
import { CONFIG_OPTION, command, flag, valued } from '../shared/command.js'
import { EXIT } from '../shared/exit-codes.js'
import { ownWords, type Parsed, readFileName, readNumber, readSeconds, readRequiredText, UsageError } from '../shared/usage.js'
import type { RunOptions } from './run.js'

const USAGE = 'locktester run PATH [options] [--] COMMAND [ARGUMENT]…'
const WORKBENCH_USAGE = 'locktester run --workbench PATH|DIR… [options] -- COMMAND [ARGUMENT]…'
const KILL_AFTER_MS = 10_000

export const RUN_COMMAND = command<RunOptions>({
  command: 'run',
  describe: 'runs a command under a lock, as flock(1) does on one host',
  usage: `${USAGE}\nor:    ${WORKBENCH_USAGE}`,
  about: `Acquires the lock at PATH, runs COMMAND, and releases the lock. It ends with the exit status of COMMAND, and passes signals on to it. $MOUNTLOCK_TOKEN is the fencing token, for what the lock protects (advisory locks have none). When the lock is lost, COMMAND and all that it started are terminated. Options may stand before PATH and behind it; COMMAND begins behind --, or else with the first word behind PATH that is no option.`,
  takesCommand: true,
  options: {
    command: valued('Run this line by $SHELL, instead of COMMAND', { alias: 'c' }),
    wait: valued('Wait at most SECONDS for the lock', { alias: ['w', 'timeout'], defaultDescription: 'for ever' }),
    'no-wait': flag('Do not wait at all', ['n', 'nb', 'nonblock']),
    'conflict-exit-code': valued('The exit code when another process holds the lock', {
      alias: 'E',
      defaultDescription: String(EXIT.busy),
    }),
    exclusive: flag('A lock that excludes all others: the default', ['x', 'e']),
    shared: flag('A shared (read) lock; advisory locks only', 's'),
    unlock: flag('Run COMMAND without the lock', 'u'),
    close: flag('Processes that COMMAND leaves running do not keep the lock', 'o'),
    'no-fork': flag('Changes nothing; accepted for the sake of flock(1)', 'F'),
    verbose: flag('Say how long it took to get the lock, and what is executed'),
    workbench: flag("Hold Workbench's own locks: the one at PATH, or all below DIR"),
    'lock-type': valued('Instead of what the configuration says', { choices: ['linkbased', 'advisory', 'renamebased'] }),
    'use-symlinks': valued('Instead of what the configuration says', { choices: ['0', '1'] }),
    config: CONFIG_OPTION,
    label: valued('Shown to waiters, and by locktester status', { defaultDescription: 'COMMAND' }),
    'on-loss': valued('What happens to COMMAND when the lock is lost', {
      choices: ['terminate', 'ignore'],
      default: 'terminate',
    }),
    'kill-after': valued('SECONDS from TERM to KILL then', {
      alias: 'k',
      defaultDescription: String(KILL_AFTER_MS / 1000),
    }),
  },
  examples: [
    ['waits for its turn, then runs it', 'locktester run /shared/ann/nightly.lock backup.sh --full'],
    ['not at all while another node runs it', 'locktester run --no-wait /shared/ann/nightly.lock -- backup.sh'],
    [
      'waits for a minute; a lock that stays held is no failure',
      'locktester run --wait 60 -E 0 /shared/ann/nightly.lock -- backup.sh',
    ],
    ["while no session of Workbench uses a user's state", 'locktester run --workbench ~ann --no-wait -- backup.sh'],
    ['many may read at once', 'locktester run --shared --lock-type advisory /shared/data.lock -- report.sh'],
  ],
  read: readRunOptions,
  run: async (options) => (await import('./run.js')).runCommand(options),
})

/** Of flock(1) the last one of the first three pairs counts. */
const EXCLUDING = [
  ['exclusive', 'shared'],
  ['exclusive', 'unlock'],
  ['shared', 'unlock'],
  ['close', 'no-fork'],
  // Its locks are link-based and advisory at once, and exclusive.
  ['workbench', 'shared'],
  ['workbench', 'unlock'],
  ['workbench', 'lock-type'],
] as const

/** @throws UsageError */
function readRunOptions(parsed: Parsed): RunOptions {
  const paths = readPaths(parsed)
  const [path] = paths
  const command = readCommand(path, parsed)
  const wait = readSeconds('wait', parsed.wait)
  if (wait !== undefined && parsed['no-wait']) throw new UsageError('--wait and --no-wait exclude each other')
  for (const [one, other] of EXCLUDING) {
    if (parsed[one] && parsed[other]) throw new UsageError(`--${one} and --${other} exclude each other`)
  }
  const useSymlinks = parsed['use-symlinks']
  return {
    path,
    ...(parsed.workbench === true && { workbench: true as const, paths }),
    command,
    config: readFileName('config', parsed),
    lockType: parsed['lock-type'] as LockType | undefined,
    useSymlinks: useSymlinks === undefined ? undefined : useSymlinks === '1',
    shared: parsed.shared === true,
    unlock: parsed.unlock === true,
    close: parsed.close === true,
    verbose: parsed.verbose === true,
    label: parsed.label as string | undefined,
    waitMs: parsed['no-wait'] ? 0 : (wait ?? null),
    conflictExitCode: readNumber('conflict-exit-code', parsed['conflict-exit-code'], { min: 0, max: 255, byDefault: EXIT.busy }),
    onLoss: parsed['on-loss'] as 'terminate' | 'ignore',
    killAfterMs: readSeconds('kill-after', parsed['kill-after']) ?? KILL_AFTER_MS,
  }
}

function readPaths(parsed: Parsed): readonly [string, ...string[]] {
  const [path, ...more] = ownWords(parsed)
  if (path === undefined) throw new UsageError(`Too few arguments. Expected: ${USAGE}`)
  if (more.length > 0 && parsed.workbench !== true) {
    throw new UsageError(
      `Expected one PATH before --, and then the command: locktester run ${path} -- ${more.join(' ')} … (several only with --workbench)`,
    )
  }
  const read = (text: string) => readRequiredText('the path of a lock', text)
  return [read(path), ...more.map(read)]
}

/** What is probably meant where a command is missing. */
function hintFor(path: string, parsed: Parsed): string {
  if (/^\d+$/.test(path)) return `. ${path} is taken for the name of a file: a descriptor of the shell cannot be locked`
  const eater = ['config', 'label', 'wait', 'kill-after', 'conflict-exit-code'].find((option) => parsed[option] !== undefined)
  return eater === undefined ? '' : `. What stands behind --${eater} is its value: "${parsed[eater]}"`
}

/** With -c as flock(1): by the user's shell. */
function readCommand(path: string, parsed: Parsed): readonly string[] {
  const words = (parsed['--'] ?? []) as readonly string[]
  if (parsed.command !== undefined) {
    if (words.length > 0) throw new UsageError(`Expected the whole command in one word after --command, got also "${words[0]}"`)
    return [process.env.SHELL || '/bin/sh', '-c', parsed.command as string]
  }
  if (words[0] === undefined || words[0] === '')
    throw new UsageError(`Expected a command behind ${path}: ${USAGE}${hintFor(path, parsed)}`)
  return words
}
