/** `locktester break` and `locktester prune`: how they are written, and what their options mean. */

import { type CommandSpec, flag, JSON_OPTION, readSeconds, readText, UsageError, valued } from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'

export interface BreakOptions {
  path: string
  token: bigint
  json: boolean
}

export interface PruneOptions {
  directories: readonly string[]
  olderThanMs: number
  dryRun: boolean
}

const OLDER_THAN_DAYS = 1
const DAY_MS = 86_400_000

export const BREAK_COMMAND: CommandSpec = {
  usage: 'break <path>',
  summary: 'takes a lock from exactly one holder, by its token',
  head: `Examples:
  locktester status /shared/ann/session.lock                            shows the holder and its token
  locktester break /shared/ann/session.lock --token 1795351902122005    takes the lock from that holder, and from no other

Usage: locktester break PATH --token TOKEN

Takes a link-based or rename-based lock from a living holder, who learns of it with one of its next heartbeats: until then
only what refuses old fencing tokens is safe. If anybody else holds it by now, nothing happens. Dead holders need no breaking: the
next one who waits takes over.`,
  tail: `Exit codes:
${exitCodeLines([EXIT.ok, EXIT.usage, EXIT.cannotLock, EXIT.busy])}
  (${EXIT.ok} also when nobody holds it; ${EXIT.busy} when somebody with another token does, who keeps it)

--json: docs/schema/break.json`,
  positionals: { path: { type: 'string', describe: 'The path of the lock' } },
  options: {
    token: { type: 'string', requiresArg: true, demandOption: true, describe: 'The fencing token of the holder' },
    json: JSON_OPTION,
  },
  read({ path, token, json }) {
    if (token === undefined) throw new UsageError('Expected --token TOKEN: locktester status shows the token of the holder')
    if (!/^\d{1,20}$/.test(token as string)) throw new UsageError(`Expected a whole number after --token, got "${token}"`)
    const options = { path: readText('the path of a lock', path) as string, token: BigInt(token as string), json: json === true }
    return options satisfies BreakOptions
  },
  run: async (options: BreakOptions) => (await import('../programs.js')).runBreak(options),
}

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
  run: async (options: PruneOptions) => (await import('../programs.js')).runPrune(options),
}
