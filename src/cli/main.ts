/** The program: which command, with which options. Parsing only; each command is a file or folder of its own. */

import type { Argv } from 'yargs'
import { type Action, type CommandSpec, UsageError } from './command.js'
import { COMMANDS, commandMeant, wordMeant } from './commands.js'
import { EXIT } from './exit-codes.js'
import { TEST_COMMAND } from './options.js'
import { messageOf, writeError, writeOut } from './print.js'
import { version } from './program.js'

/** @param args without the names of the interpreter and the program */
export async function main(args: readonly string[]): Promise<void> {
  try {
    // The parser takes longer to load than this to answer.
    if (args.length === 1 && args[0] === '--version') writeOut(version())
    else await (await new Chooser(args).choose())?.()
  } catch (error) {
    if (error instanceof UsageError) {
      writeError(`locktester: ${messageOf(error)}\nlocktester --help shows how it is used.`)
      process.exitCode = EXIT.usage
    } else {
      writeError(`locktester: ${(error as Error).stack}`)
      process.exitCode = EXIT.internal
    }
  }
}

/** What the parser answers itself, though to its eyes the command without a name was called as well. */
const SHELL_TALK = ['completion', '--get-yargs-completions']

class Chooser {
  readonly #args: readonly string[]
  /** What stands behind `--`, for the command that takes another program's arguments. */
  readonly #behind: readonly string[] | null
  #options: readonly string[] = []
  #chosen: Action | null = null

  constructor(args: readonly string[]) {
    const dashes = args[0] === 'run' ? args.indexOf('--') : -1
    this.#args = dashes === -1 ? args : args.slice(0, dashes)
    this.#behind = dashes === -1 ? null : args.slice(dashes + 1)
  }

  /** `null` when the parser has said it all (--help). @throws UsageError */
  async choose(): Promise<Action | null> {
    // The parser would take these for its own.
    const reserved = this.#args.find((argument) => /^--?(_|\$0|__proto__)(=|$)/.test(argument))
    if (reserved !== undefined) throw new UsageError(`Unknown argument: ${reserved}`)
    const { default: yargs } = await import('yargs')
    const parser = yargs([...this.#args])
      .scriptName('locktester')
      .usage(TEST_COMMAND.head)
      .epilogue(TEST_COMMAND.tail)
      .wrap(null)
      .detectLocale(false)
      .version(version())
      .help()
      .alias('help', 'h')
      .strict()
      .exitProcess(false)
      .completion('completion', 'a completion script for your shell: source <(locktester completion)')
      // --no-hold is an option of its own.
      .parserConfiguration({ 'boolean-negation': false })
      .fail((message, error) => {
        throw error instanceof UsageError
          ? error
          : new UsageError(this.#withSuggestion((message ?? error.message).replace(/\s*\n\s*/g, ' ')))
      })
    for (const spec of COMMANDS) this.#add(parser, spec)
    await parser.parseAsync()
    return SHELL_TALK.includes(this.#args[0] ?? '') ? null : this.#chosen
  }

  #add(parser: Argv, spec: CommandSpec): void {
    const describe = (yargs: Argv) => {
      this.#options = [...Object.keys(spec.options), 'help', 'version']
      for (const [name, positional] of Object.entries(spec.positionals ?? {})) yargs.positional(name, positional)
      yargs.options(spec.options)
      return spec === TEST_COMMAND ? yargs : yargs.usage(spec.head).epilogue(spec.tail)
    }
    // The parser's own types cannot hide a command with several names.
    parser.command(spec.usage, spec.summary as string, describe, (parsed) => {
      this.#chosen = spec.read({ ...lastOfEach(parsed, spec), behind: this.#behind })
    })
  }

  /** "Unknown argument: hodl" says what is wrong; this adds what was probably meant. */
  #withSuggestion(message: string): string {
    const [, unknown] = /^Unknown arguments?: (\S+?),?(?: |$)/.exec(message) ?? []
    const first = this.#args[0] ?? ''
    const command = first.startsWith('-') ? null : commandMeant(first)
    if (command !== null && command !== first) return `${message}. Did you mean the command: locktester ${command}`
    const meant = unknown === undefined ? null : wordMeant(unknown, this.#options)
    return meant === null ? message : `${message}. Did you mean --${meant}?`
  }
}

/** A repeated option counts with its last value, as users of aliases expect, unless it takes several. */
function lastOfEach(parsed: Record<string, unknown>, { options, positionals = {} }: CommandSpec): Record<string, unknown> {
  const isArray = (name: string) => options[name]?.array === true || positionals[name]?.array === true
  const entries = Object.entries(parsed).map(([name, value]) => [
    name,
    Array.isArray(value) && !isArray(name) ? value.at(-1) : value,
  ])
  return Object.fromEntries(entries)
}
