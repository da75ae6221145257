/** The table of commands. The first is the one without a name, which people know. */

import { mostSimilar } from '../config/similar.js'
import type { CommandSpec } from './shared/command.js'
import { CONFIG_COMMANDS } from './config/command.js'
import { DOCTOR_COMMAND } from './doctor/command.js'
import { BREAK_COMMAND } from './break/command.js'
import { PRUNE_COMMAND } from './prune/command.js'
import { NODES_COMMAND } from './nodes/command.js'
import { DEMO_COMMAND } from './demo/command.js'
import { TEST_COMMAND } from './test/command.js'
import { AGENT_COMMAND } from './agent/command.js'
import { RUN_COMMAND } from './run/command.js'
import { STATUS_COMMAND } from './status/command.js'
import { STRESS_COMMAND } from './stress/command.js'

export const COMMANDS: readonly CommandSpec[] = [
  TEST_COMMAND,
  DEMO_COMMAND,
  RUN_COMMAND,
  STATUS_COMMAND,
  DOCTOR_COMMAND,
  NODES_COMMAND,
  STRESS_COMMAND,
  BREAK_COMMAND,
  PRUNE_COMMAND,
  AGENT_COMMAND,
  ...CONFIG_COMMANDS,
]

/** No command of ours: yargs has it. */
export const COMPLETION = ['completion', 'a completion script for your shell: source <(locktester completion)'] as const

/** By which they are called. */
const NAMES = COMMANDS.flatMap(({ usage }) => usage)
  .map((usage) => usage.split(' ')[0] as string)
  .filter((name) => name !== '$0')

/** The command that a word was probably meant to be. */
export function commandMeant(word: string): string | null {
  return wordMeant(word, NAMES)
}

/** Swapped letters are the commonest slip, and too far off for a distance that counts changes. */
export function wordMeant(word: string, candidates: readonly string[]): string | null {
  const letters = (text: string) => [...text].sort().join('')
  return mostSimilar(word, candidates) ?? candidates.find((candidate) => letters(candidate) === letters(word)) ?? null
}
