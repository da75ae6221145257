/** `locktester break`: how it is written, and what its options mean. */

import { command, JSON_OPTION, valued } from '../shared/command.js'
import { readRequiredText, readWords, UsageError } from '../shared/usage.js'
import type { BreakOptions } from './run.js'

const USAGE = 'locktester break PATH --token TOKEN'

export const BREAK_COMMAND = command<BreakOptions>({
  command: 'break',
  describe: 'takes a lock from exactly one holder, by its token',
  usage: USAGE,
  about: `Takes a link-based or rename-based lock from a living holder, which learns of it with one of its next heartbeats: until then only what refuses old fencing tokens is safe. If another process holds it by now, nothing happens. A dead holder needs no breaking: the next waiter takes over.`,
  options: {
    token: valued('The fencing TOKEN of the holder (required)'),
    json: JSON_OPTION,
  },
  examples: [
    ['shows the holder and its token', 'locktester status --long /shared/ann/session.lock'],
    ['takes the lock from that holder, and from no other', 'locktester break /shared/ann/session.lock --token 1795351902122005'],
  ],
  notes: '--json: docs/schema/break.json',
  read(parsed) {
    const [path] = readWords(parsed, { least: 1, most: 1, usage: USAGE })
    const { token, json } = parsed
    if (token === undefined)
      throw new UsageError('Expected --token TOKEN: locktester status --long shows the token of the holder')
    if (!/^\d{1,20}$/.test(token as string)) throw new UsageError(`Expected a whole number after --token, got "${token}"`)
    return { path: readRequiredText('the path of a lock', path), token: BigInt(token as string), json: json === true }
  },
  run: async (options) => (await import('./run.js')).runBreak(options),
})
