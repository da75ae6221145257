/** `locktester break`: how it is written, and what its options mean. */

import { type CommandSpec, JSON_OPTION, readText, UsageError } from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'
import type { BreakOptions } from './run.js'

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
  run: async (options: BreakOptions) => (await import('./run.js')).runBreak(options),
}
