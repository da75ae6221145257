/** `locktester status`: how it is written, and what its options mean. */

import { command, flag, JSON_OPTION, valued } from '../shared/command.js'
import { type Parsed, readNumber, readSeconds, readRequiredText, readWords } from '../shared/usage.js'
import type { StatusOptions } from './run.js'

const USAGE = 'locktester status PATH… [options]    (or: locktester ls)'
const DEPTH_MAX = 4
const INTERVAL_MS = 2000

export const STATUS_COMMAND = command<StatusOptions>({
  command: ['status', 'ls'],
  describe: 'which processes hold the locks under a directory, or one lock',
  usage: USAGE,
  about: `A lock is free, held, stale (the holder is dead, the next waiter takes over) or unknown (the reason is shown). Advisory locks leave no mark. Those of this node are found in /proc/locks; for a lock of another node, name its file. A holder on another node that died is "stale" only once --watch has seen its heartbeat stand still for its whole timeout-interval. Waiters are shown in the order of their turns; waiters with blocking calls, and for advisory locks, leave no mark. Workbench's own locks below a home or a project are shown too: they are looked at, and never taken.`,
  options: {
    watch: flag('Look again and again, until Ctrl+C'),
    interval: valued('SECONDS between two looks', { defaultDescription: String(INTERVAL_MS / 1000) }),
    depth: valued('How many directories deep to look', { defaultDescription: String(DEPTH_MAX) }),
    long: flag('Show the fencing tokens as well', 'l'),
    json: JSON_OPTION,
  },
  examples: [
    ['the locks under a directory, and their holders', 'locktester status /shared/ann'],
    ['the same, refreshed in place until Ctrl+C', 'locktester status --watch /shared/ann'],
    ['what the sessions of a user hold', 'locktester status ~/.local/share/rstudio'],
    ['one lock, of whatever type', 'locktester status /shared/ann/session.lock'],
    ['the stale locks', `locktester ls --json DIR | jq -r '.locks[]|select(.state=="stale").path'`],
  ],
  notes: '--json: docs/schema/status.json; with --watch one object on a line for each look',
  read: readStatusOptions,
  run: async (options) => (await import('./run.js')).runStatus(options),
})

/** @throws UsageError */
function readStatusOptions(parsed: Parsed): StatusOptions {
  const paths = readWords(parsed, { least: 1, usage: USAGE })
  const { depth, json, watch, interval, long } = parsed
  const intervalMs = readSeconds('interval', interval, { isAboveZero: true })
  return {
    paths: paths.map((path) => readRequiredText('a path', path)),
    depthMax: readNumber('depth', depth, { min: 0, max: 99, byDefault: DEPTH_MAX }),
    json: json === true,
    verbose: long === true,
    watchMs: watch === true || intervalMs !== undefined ? (intervalMs ?? INTERVAL_MS) : null,
  }
}
