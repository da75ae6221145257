/** The command line: what can be said, and what is wrong with what was said. */

import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CANDIDATES } from './peers.mjs'
import { QUESTIONS } from './questions/all.js'

/** The arguments are not what they must be; the message says which. */
export class UsageError extends Error {}

export interface Options {
  /** Where to measure; the system's temporary directory, and a tmpfs, when absent. */
  directory: string | null
  /** `null`: all. */
  only: ReadonlySet<string> | null
  peers: ReadonlySet<string> | null
  json: string | null
  html: string | null
  /** A checkout of this project, to publish the run in. */
  publish: string | null
  quick: boolean
  help: boolean
}

const OPTIONS = {
  dir: { type: 'string' },
  only: { type: 'string' },
  peers: { type: 'string' },
  json: { type: 'string' },
  html: { type: 'string' },
  publish: { type: 'string' },
  quick: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const questionIds = QUESTIONS.map(({ id }) => id)
const peerIds = CANDIDATES.filter(({ role }) => role === 'peer').map(({ id }) => id)

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options {
  const { values } = parse(args)
  return {
    directory: values.dir === undefined ? null : directoryOf('--dir', values.dir),
    only: values.only === undefined ? null : listOf('--only', values.only, questionIds),
    peers: values.peers === undefined ? null : values.peers === 'none' ? new Set() : listOf('--peers', values.peers, peerIds),
    json: fileOf('--json', values.json),
    html: fileOf('--html', values.html),
    publish: values.publish === undefined ? null : directoryOf('--publish', values.publish),
    quick: values.quick ?? false,
    help: values.help ?? false,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function directoryOf(option: string, path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`Expected an existing directory after ${option}, got "${path}"`)
  }
  return path
}

function fileOf(option: string, path: string | undefined): string | null {
  if (path === '') throw new UsageError(`Expected the name of a file after ${option}, got nothing`)
  return path ?? null
}

function listOf(option: string, text: string, known: readonly string[]): ReadonlySet<string> {
  const names = text.split(',').filter((name) => name !== '')
  const wrong = names.find((name) => !known.includes(name))
  if (names.length === 0 || wrong !== undefined) {
    throw new UsageError(`Expected names out of ${known.join(', ')} after ${option}, got "${wrong ?? text}"`)
  }
  return new Set(names)
}

export const HELP = `Examples:
  npm run bench                                             everything, in less than five minutes
  npm run bench -- --dir /mnt/shared                        everything, on that mount
  npm run bench -- --dir /mnt/shared --only cycle,handoff --peers proper-lockfile --json out.json
  npm run bench -- --html report.html                       with a report to look at
  npm run bench -- --quick                                  only whether it works: the figures mean nothing

Measures locks, next to other locks and to the bare system calls, in one run and in turns: trust the ratios, and
compare times only within a run. Progress goes to a terminal only; the table comes at the end.

Options:
  --dir DIR      where to measure (default: the directory for temporary files, and /dev/shm for some)
  --only LIST    only these questions, separated by commas
  --peers LIST   only these peers, or "none"
  --json FILE    write all samples, and what the machine is
  --html FILE    write a report with plots
  --publish DIR  put the table into DIR/docs/performance.md, and the plots into DIR/docs/benchmarks
  --quick        a few samples of everything
  -h, --help     this

Questions:
${QUESTIONS.map(({ id, about }) => `  ${id.padEnd(13)}${about}`).join('\n')}

Peers (those that are installed take part):
  ${peerIds.join(', ')}

Exit codes: 0 measured, whatever the verdicts; 64 wrong usage; 70 something broke; by a signal when interrupted.`
