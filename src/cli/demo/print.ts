/** What `locktester demo` says around the lines of its terminals. */

import { messageOf, paint, writeComplaint, writeOut } from '../shared/output.js'

/** `missing`: why there are no advisory locks, or `null`. */
export function begin(missing: string | null): void {
  writeOut('Two terminals stand for two nodes here: real processes, real locks, one directory.')
  if (missing !== null) writeOut(`\n${missing}\nUntil then, the demo shows link-based locks only.`)
}

export function terminal(title: string, args: readonly string[]): void {
  writeOut(`\n${paint('bold', title, process.stdout)}\n  $ locktester ${args.join(' ')}`)
}

export function line(text: string): void {
  writeOut(`  ${text}`)
}

export const waits = () => line('(it waits, holding them)')
export const interrupted = () => line('^C')

export function crashes(): void {
  writeOut('\nNow terminal 1 crashes (kill -9) while it holds its locks. They are free at once:')
}

export function end(): void {
  writeOut(
    '\nAs it should be. Now run `locktester DIR` on two nodes, with a directory on your shared mount (in a checkout: bin/locktester DIR).',
  )
}

/** Line by line: what a terminal said has lines of its own. */
export function failed(error: unknown): void {
  const [first = '', ...more] = (error instanceof Error ? error.message : String(error)).split('\n').map(messageOf)
  writeComplaint('error', [first, ...more].join('\n'))
}
