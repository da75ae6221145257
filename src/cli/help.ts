/** Help and completion: what yargs makes of the tables of the commands. */

import type { Argv } from 'yargs'
import type { CommandSpec } from './command.js'
import { COMMANDS } from './commands.js'
import { TEST_COMMAND } from './options.js'
import { version } from './program.js'

/** Prints the help of a command, or of the whole program. */
export async function printHelp(command: string | null): Promise<void> {
  await talk([...(command === null ? [] : [command]), '--help'])
}

/** Answers `completion`, and what the script of that asks again and again. */
export async function answerShell(args: readonly string[]): Promise<void> {
  // The parser would take these for its own.
  await talk(args.filter((argument) => !/^--?(_|\$0|__proto__|constructor)([=.]|$)/.test(argument)))
}

async function talk(args: readonly string[]): Promise<void> {
  const { default: yargs } = await import('yargs')
  const parser = yargs([...args])
    .scriptName('locktester')
    .usage(TEST_COMMAND.head)
    .epilogue(TEST_COMMAND.tail)
    .wrap(null)
    .detectLocale(false)
    .version(version())
    .help()
    .alias('help', 'h')
    .exitProcess(false)
    .completion('completion', 'a completion script for your shell: source <(locktester completion)')
    // --no-hold is an option of its own.
    .parserConfiguration({ 'boolean-negation': false })
    .fail(() => {}) // half a command line, which is to be completed
  for (const spec of COMMANDS) add(parser, spec)
  await parser.parseAsync()
}

function add(parser: Argv, spec: CommandSpec): void {
  const describe = (yargs: Argv) => {
    for (const [name, positional] of Object.entries(spec.positionals ?? {})) yargs.positional(name, positional)
    yargs.options(spec.options)
    return spec === TEST_COMMAND ? yargs : yargs.usage(spec.head).epilogue(spec.tail)
  }
  // The parser's own types cannot hide a command with several names.
  parser.command(spec.usage, spec.summary as string, describe, () => {})
}
