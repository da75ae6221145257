/**
 * A command as yargs wants it, and its options, so that they are the same everywhere. What a command does is loaded when it
 * is chosen.
 */

import { present } from '../../assert.js'
import type { Argv, CommandModule, Options } from 'yargs'
import type { Parsed } from './usage.js'

export interface Command extends Omit<CommandModule, 'builder'> {
  command: string
  aliases: readonly string[]
  builder(yargs: Argv, isHelpAsked: boolean): Argv
  /** How it is written and what it does: the top of its help. */
  usage: string
  options: Record<string, Options>
  examples: readonly (readonly [what: string, line: string])[]
  /** The bottom of its help. */
  notes: string
  /** Those whose names stand behind its own. */
  commands: readonly Command[]
  /** The words behind the first one are another program's. */
  takesCommand?: true
  /** What the values mean: pure. @throws UsageError */
  read(parsed: Parsed): unknown
}

interface Parts<T> extends Pick<Command, 'options' | 'examples' | 'takesCommand'> {
  /** The name, and its other names. */
  command: string | string[]
  /** One line for the list of commands; `false` hides it there. */
  describe: string | false
  /** How it is written, without "Usage: ". */
  usage: string
  /** What it does. */
  about: string
  /** The bottom of its help. */
  notes?: string
  commands?: readonly Command[]
  read(parsed: Parsed): T
  run(options: T): Promise<void>
}

/** The help says how it is used, then the options, then examples. */
export function command<T>(parts: Parts<T>): Command {
  const { options, examples, notes = '', commands = [], read, run } = parts
  const usage = `Usage: ${parts.usage}\n\n${parts.about}`
  const [name, ...aliases] = [parts.command].flat()
  return {
    command: present(name, 'a name'),
    aliases,
    describe: parts.describe,
    ...(parts.takesCommand && { takesCommand: true }),
    usage,
    options,
    examples,
    notes,
    commands,
    builder(yargs, isHelpAsked) {
      // yargs lays the help out at every start, which takes as long as all else: what only the help needs is left out then.
      if (!isHelpAsked) return yargs.options(hidden(options))
      // The help of the command without a name is that of the whole program, which begins with it.
      if (name !== DEFAULT_COMMAND) yargs.usage(usage)
      yargs.options(options)
      for (const [what, line] of examples) yargs.example(`# ${what}`, '').example(line, '')
      return yargs.epilogue(notes)
    },
    read,
    handler: (parsed) => run(read(parsed)),
  }
}

function hidden(options: Record<string, Options>): Record<string, Options> {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, { ...option, hidden: true }]))
}

export const DEFAULT_COMMAND = '$0'

/** An option with a value, for {@link Command.read} to make sense of. */
export const valued = (describe: string, more: Options = {}): Options => ({
  type: 'string',
  requiresArg: true,
  describe,
  ...more,
})

/** An option without one: with `nargs`, yargs neither takes the word behind it nor `--flag=value`. */
export const flag = (describe: string, alias?: string | string[]): Options => ({
  type: 'boolean',
  nargs: 0,
  describe,
  ...(alias && { alias }),
})

/** An option means the same in every command that has it; these every command has. */
export const GLOBAL_OPTIONS: Record<string, Options> = { help: flag('Show this help', 'h'), version: flag('Show the version') }

/** The command that yargs brings along. */
export const COMPLETION = {
  command: 'completion',
  usage: 'locktester completion [bash|zsh]',
  describe: 'a completion script for bash or zsh: source <(locktester completion)',
}

export const CONFIG_OPTION = valued('Use this file-locks FILE')
export const QUIET_OPTION = flag('Nothing on standard error but errors and warnings')
export const JSON_OPTION = flag('Print one JSON object instead')
export const HTML_OPTION = valued('Write a page with all of it to FILE')
