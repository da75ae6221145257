/**
 * The command line: yargs parses it, prints the help and answers the shell. What is added here makes it strict: yargs alone takes
 * `--hold 1 --hold 2` for a list, and says of a wrong option neither which one was meant nor what to write instead.
 */

import yargs, { type Argv, type Options } from 'yargs'
import { Parser } from 'yargs/helpers'
import { completionLines } from './completion.js'
import { type Command, COMPLETION, DEFAULT_COMMAND, GLOBAL_OPTIONS } from './shared/command.js'
import { writeOut } from './shared/output.js'
import { version } from './shared/program.js'
import { speakAs } from './shared/speaker.js'
import { checkChoice, MeantError, type Parsed, readWords, UsageError, wordMeant } from './shared/usage.js'

/** No user means these. */
const CONFIGURATION = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'populate--': true,
}

/** What the script of `locktester completion` asks with. Half a command line follows, of which nothing is wrong yet. */
const SHELL_QUESTION = '--get-yargs-completions'

/** yargs keeps something of its own under these names. */
const RESERVED = /^(--(_|\$0|__proto__)(=|$)|-[^-]*_)/

/** The complaint about a command line, and the command whose help has more; `null` for the whole program's. */
export class WrongCommandLineError extends Error {
  readonly command: string | null

  constructor(complaint: string, command: string | null) {
    super(complaint)
    this.command = command
  }
}

/**
 * Runs the command that the words name; or prints the help, the version, or what the shell asks for.
 * @param args without the names of the interpreter and the program
 * @throws WrongCommandLineError, and what the command throws
 */
export async function runCommandLine(args: readonly string[], commands: readonly Command[]): Promise<void> {
  if (args[0] === SHELL_QUESTION) return answerShell(args.slice(2), commands)
  const choice: { command: Command | null } = { command: null }
  const choose = (command: Command) => {
    choice.command = command
    speakAs(ownName(command))
  }
  speakAs(null)
  try {
    const words = withDashes(args[0] === 'help' ? helpWords(args.slice(1), commands) : args, commands)
    refuseReserved(words)
    const parser = parserOf(commands, choose)
      .middleware((parsed) => refuseOptions(parsed, choice.command?.options ?? {}), true)
      .fail((message, error) => {
        throw error === undefined || error.name === 'YError' ? new UsageError(sentenceOf(message)) : error
      })
    await parser.parseAsync(words)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const name = choice.command === null ? null : ownName(choice.command)
    if (name !== null) throw new WrongCommandLineError(error.message, name)
    const isClear = error instanceof MeantError
    throw new WrongCommandLineError(isClear ? error.message : withCommandHint(error.message, args, commands), null)
  }
}

/** `null`: the test, whose help is the whole program's. */
const ownName = ({ command }: Command) => (command === DEFAULT_COMMAND ? null : command)

/** `help COMMAND` is `COMMAND --help`. @throws UsageError where there is no such command */
function helpWords(names: readonly string[], commands: readonly Command[]): string[] {
  let among = commands
  for (const name of names.filter((word) => !word.startsWith('-'))) {
    const found = among.find(({ command, aliases }) => [command, ...aliases].includes(name))
    if (found === undefined && name !== COMPLETION.command) {
      const meant = wordMeant(name, namesOf(among))
      const hint = meant === null ? '' : `. Did you mean ${meant}?`
      throw new MeantError(`There is no command ${name} to tell of${hint}`)
    }
    among = found?.commands ?? []
  }
  return ['--help', ...names]
}

const namesOf = (commands: readonly Command[]) =>
  commands.flatMap(({ command, aliases }) => [command, ...aliases]).filter((name) => name !== DEFAULT_COMMAND)

/** @param words behind the name of the program */
function answerShell(words: readonly string[], commands: readonly Command[]): void {
  for (const line of completionLines(words, commands)) writeOut(line)
}

/** @param note is told which command was chosen */
function parserOf(commands: readonly Command[], note: (command: Command) => void): Argv {
  // Told a directory, it does not ask for the current one, which may be gone.
  const parser = yargs([], '/')
    .scriptName('locktester')
    .detectLocale(false)
    .exitProcess(false)
    .wrap(80)
    .parserConfiguration(CONFIGURATION)
    .strictOptions()
    .version('version', 'Show the version', version())
    .help('help', 'Show this help')
    .alias('help', 'h')
    .nargs({ help: 0, h: 0, version: 0 })
  // The name of the command may stand behind some of its options: yargs must know then which of them take no value.
  for (const [name, { alias }] of optionsOf(commands).filter(([, { type }]) => type === 'boolean')) {
    const names = [name, ...[alias ?? []].flat()]
    makeLocal(parser.boolean(names), names)
    for (const each of names) parser.nargs(each, 0)
  }
  for (const command of commands) {
    if (command.command === DEFAULT_COMMAND) parser.usage(command.usage)
    register(parser, command, note)
  }
  return parser.command(COMPLETION.command, COMPLETION.describe, {}, (parsed) => showCompletionScript(parser, parsed))
}

const SHELLS = ['bash', 'zsh']

/** @throws UsageError for a shell that there is no script for */
function showCompletionScript(parser: Argv, parsed: Parsed): void {
  const [shell] = readWords(parsed, { most: 1, usage: COMPLETION.usage })
  if (shell === undefined) {
    parser.showCompletionScript()
    return
  }
  checkChoice('behind completion', shell, SHELLS)
  // A parser of yargs asks the environment for the shell when it is made.
  process.env.SHELL = shell
  delete process.env.ZSH_NAME
  yargs([], '/').scriptName('locktester').showCompletionScript()
}

/** Known on the top level only, so that a command knows no options but its own. The types of yargs leave this way out. */
function makeLocal(parser: Argv, names: readonly string[]): void {
  const { global } = parser as unknown as { global(this: Argv, names: readonly string[], isGlobal: boolean): Argv }
  global.call(parser, names, false)
}

function register(parser: Argv, command: Command, note: (command: Command) => void): void {
  const builder = (yargs: Argv, isHelpAsked: boolean) => {
    note(command)
    for (const inner of command.commands) register(yargs, inner, () => {})
    return command.builder(yargs, isHelpAsked)
  }
  // The types of yargs leave out what a builder is told.
  parser.command({ ...command, builder: builder as (yargs: Argv) => Argv })
}

function optionsOf(commands: readonly Command[]): [string, Options][] {
  return commands.flatMap(({ options }) => Object.entries(options))
}

/**
 * `run PATH COMMAND …` with the `--` that may be left out there: what is behind it is another program's. As soon as there is
 * one, it is that one.
 */
function withDashes(args: readonly string[], commands: readonly Command[]): readonly string[] {
  if (args.includes('--')) return args
  const fromFirstWord = (words: readonly string[]) =>
    fromFirstWordOf(words, [...optionsOf(commands), ...Object.entries(GLOBAL_OPTIONS)])
  const [name, ...behindName] = fromFirstWord(args)
  if (!commands.some(({ command, takesCommand }) => takesCommand === true && command === name)) return args
  const [, ...behindPath] = fromFirstWord(behindName)
  const program = fromFirstWord(behindPath)
  return program.length === 0 ? args : args.toSpliced(args.length - program.length, 0, '--')
}

/** The words from the first one that is neither an option nor the value of one. */
function fromFirstWordOf(words: readonly string[], options: readonly [string, Options][]): string[] {
  const names = (isMeant: (option: Options) => boolean) => options.filter(([, option]) => isMeant(option)).map(([name]) => name)
  const flags = names(({ type }) => type === 'boolean')
  const parsed = Parser([...words], {
    boolean: flags,
    string: names(({ type }) => type !== 'boolean'),
    narg: Object.fromEntries(options.map(([name]) => [name, flags.includes(name) ? 0 : 1])),
    alias: Object.fromEntries(options.flatMap(([name, { alias }]) => (alias === undefined ? [] : [[name, [alias].flat()]]))),
    configuration: { ...CONFIGURATION, 'populate--': false, 'halt-at-non-option': true },
  })
  return parsed._.map(String)
}

/** @throws UsageError */
function refuseReserved(words: readonly string[]): void {
  const dashes = words.indexOf('--')
  const reserved = words.slice(0, dashes === -1 ? undefined : dashes).find((word) => RESERVED.test(word))
  if (reserved !== undefined) throw new UsageError(`Unknown argument: ${reserved.replace(/^-+|=.*$/gs, '')}`)
}

/** @throws UsageError for an option that is not there, given twice, or has a value that is none of its choices */
function refuseOptions(parsed: Parsed, own: Record<string, Options>): void {
  if (parsed.help === true || parsed.version === true) return
  const options = new Map(Object.entries({ ...GLOBAL_OPTIONS, ...own }))
  for (const { alias } of [...options.values()]) for (const other of [alias ?? []].flat()) options.set(other, {})
  for (const [name, value] of Object.entries(parsed)) {
    if (['_', '--', '$0'].includes(name)) continue
    const option = options.get(name)
    if (option === undefined) throw unknown(name, [...options.keys()])
    if (Array.isArray(value) && option.array !== true) {
      throw new UsageError(`${dashed(name)} was given ${value.length} times: give it once`)
    }
    if (option.choices !== undefined) checkChoice(`after --${name}`, value as string, option.choices as readonly string[])
  }
}

function unknown(name: string, options: readonly string[]): UsageError {
  const what = `Unknown argument: ${name}`
  const negated = /^no-(.+)$/.exec(name)?.[1]
  if (negated !== undefined && options.includes(negated)) return new MeantError(`${what}. Leave --${negated} out instead`)
  const [stem = ''] = name.split('.')
  const meant = options.includes(stem)
    ? stem
    : wordMeant(
        name,
        options.filter((option) => option.length > 1),
      )
  if (meant === null) return new UsageError(`${what} (there is no option ${dashed(name)} here)`)
  return new MeantError(`${what}. Did you mean --${meant}?`)
}

/** What the parser of yargs complains of, in our words. */
function sentenceOf(message: string): string {
  const [, complaint, name = ''] = /^(Not enough arguments following|Argument unexpected for): (.*)$/s.exec(message) ?? []
  if (complaint === undefined) return message
  return complaint.startsWith('Not') ? `Expected a value after ${dashed(name)}` : `${dashed(name)} takes no value: leave it out`
}

const dashed = (name: string) => (name.length === 1 ? `-${name}` : `--${name}`)

/** It may have been the name of a command. */
function withCommandHint(complaint: string, args: readonly string[], commands: readonly Command[]): string {
  const word = args.find((arg) => !arg.startsWith('-')) ?? ''
  const meant = wordMeant(word, namesOf(commands))
  if (meant === null) return complaint
  const isTold = word === meant || complaint.includes(word)
  const fault = isTold ? '' : `${word} is no command. `
  return `${fault}${complaint.replace(/\.$/, '')}. Did you mean the command: locktester ${meant}?`
}
