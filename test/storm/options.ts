/** The options of `npm run storm`. */

import { parseArgs } from 'node:util'
import type { StormKind } from './worker-process.js'

export interface Options {
  processes: number
  locks: number
  seconds: number
  kinds: StormKind[]
  directory: string | null
  seed: number
  html: string | null
}

export const USAGE = `Usage: npm run storm -- [options]

Real processes go for a few locks while they are killed, stalled, robbed of disk space and of the right time.

  --procs N      processes at a time (8)
  --locks K      locks that they go for (4)
  --seconds S    how long, for each kind (30)
  --kind KIND    hard-link, symlink, rename, flock, fcntl, all (all);
                 specimen: a lock that is known to be broken
  --dir DIR      on this file system, which is never filled (default: a small volume of its own)
  --seed N       of the faults (default: the time)
  --html FILE    a picture of which process held what, when

Exit code 1 if there was any violation.`

const ALL: readonly StormKind[] = ['hard-link', 'symlink', 'rename', 'flock', 'fcntl']

/** `null`: --help. @throws TypeError with a sentence for the user */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      procs: { type: 'string', default: '8' },
      locks: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '30' },
      kind: { type: 'string', default: 'all' },
      dir: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      html: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return null
  return {
    processes: count('--procs', values.procs, 1),
    locks: count('--locks', values.locks, 1),
    seconds: count('--seconds', values.seconds, 1),
    kinds: values.kind === 'all' ? [...ALL] : [kind(values.kind)],
    directory: values.dir ?? null,
    seed: count('--seed', values.seed, 0),
    html: values.html ?? null,
  }
}

function count(option: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least)
    throw new TypeError(`Expected ${option} to be a whole number from ${least}, got ${text}`)
  return value
}

function kind(text: string): StormKind {
  const found = [...ALL, 'specimen' as const].find((each) => each === text)
  if (found === undefined) throw new TypeError(`Expected --kind to be one of ${ALL.join(', ')}, all, specimen, got ${text}`)
  return found
}
