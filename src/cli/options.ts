/** The options of the lock test: how they are written, and what they mean. */

import type { Options } from 'yargs'
import { mostSimilar } from '../config/similar.js'
import type { TestOptions } from './test.js'

/** The arguments are not what they must be; the message says which. */
export class UsageError extends Error {}

export const TEST_OPTIONS = {
  config: { type: 'string', requiresArg: true, describe: 'Use this file-locks file' },
  all: { type: 'boolean', describe: 'Try every variant: flock, fcntl, hard link, symlink' },
  hold: { type: 'string', requiresArg: true, describe: 'Hold what was acquired for SECONDS, then release' },
  'no-hold': { type: 'boolean', describe: 'Release at once what was acquired' },
  json: { type: 'boolean', describe: 'Print one JSON object instead of the lines, once all locks were tried' },
  quiet: { type: 'boolean', describe: 'Nothing on standard error but errors and warnings' },
} as const satisfies Record<string, Options>

const COMMANDS = ['demo']

/** The command that a directory which does not exist was probably meant to be. */
export function commandMeant(directory: string): string | null {
  return wordMeant(directory, COMMANDS)
}

/** Swapped letters are the commonest slip, and too far off for a distance that counts changes. */
export function wordMeant(word: string, candidates: readonly string[]): string | null {
  const letters = (text: string) => [...text].sort().join('')
  return mostSimilar(word, candidates) ?? candidates.find((candidate) => letters(candidate) === letters(word)) ?? null
}

/** @throws UsageError */
export function readTestOptions(parsed: Record<string, unknown>): TestOptions {
  const { directory, config, hold } = parsed
  if (config === '') throw new UsageError('Expected the name of a file after --config, got nothing')
  if (directory === '') throw new UsageError('Expected the name of a directory, got nothing')
  if (hold !== undefined && parsed['no-hold']) throw new UsageError('--hold and --no-hold exclude each other')
  return {
    directory: directory as string | undefined,
    config: config as string | undefined,
    all: parsed.all === true,
    json: parsed.json === true,
    quiet: parsed.quiet === true,
    holdMs: parsed['no-hold'] ? 0 : holdMs(hold as string | undefined),
  }
}

/** setTimeout knows no more: about 24 days. */
const HOLD_SECONDS_MAX = 2_147_483

function holdMs(hold: string | undefined): number | undefined {
  if (hold === undefined) return undefined
  const seconds = /^\d+(\.\d+)?$/.test(hold) ? Number(hold) : Number.NaN
  if (!(seconds <= HOLD_SECONDS_MAX)) {
    throw new UsageError(`Expected a number of seconds, at most ${HOLD_SECONDS_MAX}, after --hold, got "${hold}"`)
  }
  return seconds * 1000
}
