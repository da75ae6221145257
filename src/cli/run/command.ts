/** `locktester run`: how it is written, and what its options mean. */

import type { LockType } from '../../types.js'
import {
  type CommandSpec,
  CONFIG_OPTION,
  flag,
  readFileName,
  readNumber,
  readSeconds,
  readText,
  UsageError,
  valued,
} from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'
import type { RunOptions } from './run.js'

const USAGE = 'locktester run PATH [options] -- COMMAND [ARGUMENT]…'
const KILL_AFTER_MS = 10_000

export const RUN_COMMAND: CommandSpec = {
  usage: 'run <path> [command..]',
  summary: 'runs a command under a lock, as flock(1) does on one host',
  head: `Examples:
  locktester run /shared/ann/nightly.lock -- backup.sh --full       waits for its turn, then runs it
  locktester run --no-wait /shared/ann/nightly.lock -- backup.sh    not at all while another node runs it (exit code ${EXIT.busy})
  locktester run --wait 60 -E 0 /shared/ann/nightly.lock -- backup.sh
  locktester run --shared --lock-type advisory /shared/data.lock -- report.sh

Usage: ${USAGE}

Acquires the lock at PATH, runs COMMAND, and releases. Its exit status is ours, and our signals are its own. $MOUNTLOCK_TOKEN is
the fencing token, for what the lock protects (none of advisory locks). When the lock is lost, COMMAND and all that it started are
terminated.`,
  tail: `Exit codes: those of COMMAND, and
${exitCodeLines([EXIT.usage, EXIT.cannotLock, EXIT.lost, EXIT.busy, EXIT.configuration, EXIT.notExecutable, EXIT.notFound])}
When a signal ended COMMAND, it ends by that signal.`,
  takesBehind: true,
  positionals: { path: { type: 'string', describe: 'The path of the lock' }, command: { type: 'string', array: true } },
  options: {
    wait: valued('Wait at most SECONDS for the lock [default: for ever]', { alias: 'w' }),
    'no-wait': flag('Do not wait at all', 'n'),
    'conflict-exit-code': valued(`The exit code when the lock was not to be had [default: ${EXIT.busy}]`, { alias: 'E' }),
    shared: flag('A shared (read) lock; advisory locks only', 's'),
    'lock-type': {
      choices: ['linkbased', 'advisory', 'renamebased'],
      requiresArg: true,
      describe: 'Instead of what the configuration says',
    },
    'use-symlinks': {
      type: 'string',
      choices: ['0', '1'],
      requiresArg: true,
      describe: 'Instead of what the configuration says',
    },
    config: CONFIG_OPTION,
    label: valued('Shown to those who wait or look [default: COMMAND]'),
    'on-loss': {
      choices: ['terminate', 'ignore'],
      default: 'terminate',
      requiresArg: true,
      describe: 'What happens to COMMAND when the lock is lost',
    },
    'kill-after': valued(`SECONDS from TERM to KILL then [default: ${KILL_AFTER_MS / 1000}]`, { alias: 'k' }),
  },
  read: readRunOptions,
  run: async (options: RunOptions) => (await import('./run.js')).runCommand(options),
}

/** @throws UsageError */
function readRunOptions(parsed: Record<string, unknown>): RunOptions {
  const command = readCommand(parsed)
  const wait = readSeconds('wait', parsed.wait)
  if (wait !== undefined && parsed['no-wait']) throw new UsageError('--wait and --no-wait exclude each other')
  const useSymlinks = parsed['use-symlinks']
  return {
    path: readText('the path of a lock', parsed.path) as string,
    command,
    config: readFileName('config', parsed),
    lockType: parsed['lock-type'] as LockType | undefined,
    useSymlinks: useSymlinks === undefined ? undefined : useSymlinks === '1',
    shared: parsed.shared === true,
    label: parsed.label as string | undefined,
    waitMs: parsed['no-wait'] ? 0 : (wait ?? null),
    conflictExitCode: readNumber('conflict-exit-code', parsed['conflict-exit-code'], 0, 255, EXIT.busy),
    onLoss: parsed['on-loss'] as 'terminate' | 'ignore',
    killAfterMs: readSeconds('kill-after', parsed['kill-after']) ?? KILL_AFTER_MS,
  }
}

function readCommand({ path, command, behind }: Record<string, unknown>): readonly string[] {
  if ((command as string[]).length > 0) throw new UsageError(`Expected -- before the command: ${USAGE}`)
  const words = (behind ?? []) as readonly string[]
  if (words[0] === undefined || words[0] === '') throw new UsageError(`Expected a command behind ${path}: ${USAGE}`)
  return words
}
