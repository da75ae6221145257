/** `locktester status`: how it is written, and what its options mean. */

import { type CommandSpec, flag, JSON_OPTION, readNumber, readSeconds, readText, UsageError, valued } from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'
import type { StatusOptions } from './run.js'

const DEPTH_MAX = 4
const INTERVAL_MS = 2000

export const STATUS_COMMAND: CommandSpec = {
  usage: ['status <paths..>', 'ls'],
  summary: 'who holds the locks under a directory, or one lock',
  head: `Examples:
  locktester status /shared/ann                who holds the locks under a directory
  locktester status --watch /shared/ann        the same, refreshed in place until Ctrl+C
  locktester status /shared/ann/session.lock   one lock, of whatever type
  locktester ls --json /shared | jq -r '.locks[] | select(.state == "stale") | .path'

Usage: locktester status PATH… [options]    (or: locktester ls)

Advisory locks leave no mark: those that processes of this node hold are found by /proc/locks, of all others name the file. A holder
on another node that died is "stale" only once --watch saw its heartbeat stand still for its whole timeout-interval. Who waits on
other nodes is known as far as the last heartbeat told.`,
  tail: `States: free; held; stale (the holder is dead, the next one takes over); unknown (the reason is shown).

Exit codes:
${exitCodeLines([EXIT.ok, EXIT.usage, EXIT.cannotLock])}
  (${EXIT.cannotLock} also when something could not be read)

--json: docs/schema/status.json; with --watch one object on a line for each look`,
  positionals: { paths: { type: 'string', array: true, describe: 'Directories and locks' } },
  options: {
    watch: flag('Look again and again, until Ctrl+C'),
    interval: valued(`SECONDS between two looks [default: ${INTERVAL_MS / 1000}]`),
    depth: valued(`How many directories deep to look [default: ${DEPTH_MAX}]`),
    json: JSON_OPTION,
  },
  read: readStatusOptions,
  run: async (options: StatusOptions) => (await import('./run.js')).runStatus(options),
}

/** @throws UsageError */
function readStatusOptions({ paths, depth, json, watch, interval }: Record<string, unknown>): StatusOptions {
  const intervalMs = readSeconds('interval', interval)
  if (intervalMs === 0) throw new UsageError('Expected a number of seconds above 0 after --interval, got "0"')
  return {
    paths: (paths as string[]).map((path) => readText('a path', path) as string),
    depthMax: readNumber('depth', depth, 0, 99, DEPTH_MAX),
    json: json === true,
    watchMs: watch === true || intervalMs !== undefined ? (intervalMs ?? INTERVAL_MS) : null,
  }
}
