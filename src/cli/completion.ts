/** Completion: what yargs makes of the tables of the commands. */

import type { Argv } from 'yargs'
import { COMMANDS, COMPLETION } from './commands.js'

/** Answers `completion`, and what the script of that asks again and again. */
export async function answerShell(args: readonly string[]): Promise<void> {
  const { default: yargs } = await import('yargs')
  // The parser would take these for its own.
  const words = args.filter((argument) => !/^--?(_|\$0|__proto__|constructor)([=.]|$)/.test(argument))
  const parser = yargs(words)
    .scriptName('locktester')
    .detectLocale(false)
    .version()
    .help()
    .alias('help', 'h')
    .exitProcess(false)
    .completion(...COMPLETION)
    // --no-hold is an option of its own.
    .parserConfiguration({ 'boolean-negation': false })
    .fail(() => {}) // half a command line, which is to be completed
  for (const { usage, summary, positionals = {}, options } of COMMANDS) {
    const describe = (command: Argv) => {
      for (const [name, positional] of Object.entries(positionals)) command.positional(name, positional)
      return command.options(options)
    }
    // The parser's own types cannot hide a command with several names.
    parser.command(usage, summary as string, describe, () => {})
  }
  await parser.parseAsync()
}
