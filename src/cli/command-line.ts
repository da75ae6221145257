/**
 * From words to a command and its values: pure, and strict. Completion is the business of yargs, which is told the same tables;
 * it would take several milliseconds for each line, and accept `--a.b`, `--no-x` and `--x=false` where nobody means them.
 */

import { parseArgs } from 'node:util'
import type { Options } from 'yargs'
import { type CommandSpec, UsageError } from './shared/command.js'
import { COMMANDS, commandMeant, wordMeant } from './commands.js'
import { TEST_COMMAND } from './test/command.js'

export type Choice =
  | { kind: 'version' }
  | { kind: 'help'; spec: CommandSpec }
  | { kind: 'command'; spec: CommandSpec; values: Record<string, unknown> }

type Token = ReturnType<typeof parseArgs<{ tokens: true; strict: false; allowPositionals: true }>>['tokens'][number]
type OptionToken = Extract<Token, { kind: 'option' }>

const GLOBAL: Record<string, Options> = {
  help: { type: 'boolean', alias: 'h' },
  version: { type: 'boolean' },
}

const BY_NAME = new Map(
  COMMANDS.filter((spec) => spec !== TEST_COMMAND).flatMap((spec) =>
    [spec.usage].flat().map((usage) => [usage.split(' ')[0] as string, spec] as const),
  ),
)

/** An option means the same in every command that has it, so that the command's name may also stand behind some. */
const ALL_OPTIONS = Object.assign({}, GLOBAL, ...COMMANDS.map(({ options }) => options)) as Record<string, Options>

/** @param args without the names of the interpreter and the program @throws UsageError */
export function readCommandLine(args: readonly string[]): Choice {
  const { name, rest } = takeCommand(args)
  const spec = (name === null ? undefined : BY_NAME.get(name)) ?? TEST_COMMAND
  // Behind them it is another program's.
  const dashes = spec.takesBehind === true ? rest.indexOf('--') : -1
  const own = dashes === -1 ? rest : rest.slice(0, dashes)
  const tokens = spread(tokensOf(own, { ...GLOBAL, ...spec.options }), spec)
  const options = tokens.filter((token) => token.kind === 'option')
  const isAsked = (option: string) => options.some((token) => token.name === option)
  if (isAsked('help')) return { kind: 'help', spec }
  if (isAsked('version')) return { kind: 'version' }
  const words = tokens.filter((token) => token.kind === 'positional').map(({ value }) => value)
  const values = { ...valuesOf(options, spec), ...positionalsOf(words, spec) }
  return { kind: 'command', spec, values: { ...values, behind: dashes === -1 ? null : rest.slice(dashes + 1) } }
}

/** What is said of a wrong command line whose first word may have been meant as a command's name. */
export function complaintOf(error: UsageError, args: readonly string[]): string {
  const { name } = takeCommand(args)
  const meant = name === null ? commandMeant(args.find((arg) => !arg.startsWith('-')) ?? '') : null
  if (meant === null || error instanceof MeantError) return error.message
  return `${error.message.replace(/\.$/, '')}. Did you mean the command: locktester ${meant}`
}

/** `locktester status --help`, for those whose command is known. */
export function helpFor(args: readonly string[]): string {
  const { name } = takeCommand(args)
  return `locktester ${name === null ? '' : `${name} `}--help`
}

/** Something was written that resembles what there is. */
class MeantError extends UsageError {}

/** The first word that is no option's value, if it is a command's name. */
function takeCommand(args: readonly string[]): { name: string | null; rest: readonly string[] } {
  if (!args.some((arg) => BY_NAME.has(arg))) return { name: null, rest: args }
  const first = tokensOf(args, ALL_OPTIONS).find(({ kind }) => kind !== 'option')
  if (first?.kind !== 'positional' || !BY_NAME.has(first.value)) return { name: null, rest: args }
  return { name: first.value, rest: args.toSpliced(first.index, 1) }
}

function tokensOf(args: readonly string[], options: Record<string, Options>): Token[] {
  return parseArgs({ args: [...args], options: tableOf(options), strict: false, allowPositionals: true, tokens: true }).tokens
}

type Table = Record<string, { type: 'boolean' | 'string'; short?: string }>

/** Without a prototype, so that no name in it is inherited. */
function tableOf(options: Record<string, Options>): Table {
  const table: Table = Object.create(null)
  for (const [name, { type, alias }] of Object.entries(options)) {
    const short = typeof alias === 'string' && alias.length === 1 ? { short: alias } : {}
    table[name] = { type: type === 'boolean' ? 'boolean' : 'string', ...short }
  }
  return table
}

/** `--nodes a b`: an option that takes several takes the words behind it as well. */
function spread(tokens: readonly Token[], { options }: CommandSpec): Token[] {
  let several: OptionToken | null = null
  return tokens.map((token) => {
    if (token.kind === 'positional' && several !== null)
      return { ...several, index: token.index, value: token.value } as OptionToken
    const takesSeveral = token.kind === 'option' && Object.hasOwn(options, token.name) && options[token.name]?.array === true
    several = takesSeveral && !token.inlineValue ? token : null
    return token
  })
}

function valuesOf(tokens: readonly OptionToken[], { options }: CommandSpec): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(options)) if (option.default !== undefined) values[name] = option.default
  for (const { name, rawName, value, inlineValue } of tokens) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) throw unknown(rawName.replace(/^--?/, ''), options)
    if (option.type === 'boolean') {
      if (value !== undefined) throw new UsageError(`--${name} takes no value, got "${value}"`)
      values[name] = true
      continue
    }
    if (value === undefined || (!inlineValue && /^-./.test(value))) {
      throw new UsageError(`Expected a value after --${name}${value === undefined ? '' : `, got the option ${value}`}`)
    }
    checkChoice(`after --${name}`, value, option.choices)
    values[name] = option.array ? [...((values[name] as string[] | undefined) ?? []), value] : value
  }
  return values
}

function unknown(name: string, options: Record<string, Options>): UsageError {
  const meant = wordMeant(name, [...Object.keys(options), ...Object.keys(GLOBAL)])
  if (meant === null) return new UsageError(`Unknown argument: ${name}`)
  return new MeantError(`Unknown argument: ${name}. Did you mean --${meant}?`)
}

/** Binds words to `<needed>`, `[optional]` and `<several..>`, as the command's usage has them. */
function positionalsOf(words: readonly string[], spec: CommandSpec): Record<string, unknown> {
  const [usage = ''] = [spec.usage].flat()
  const values: Record<string, unknown> = {}
  let next = 0
  for (const [, bracket, name = '', dots] of usage.matchAll(/([<[])(\w+)(\.\.)?[\]>]/g)) {
    const taken = dots === undefined ? words.slice(next, next + 1) : words.slice(next)
    if (bracket === '<' && taken.length === 0) throw new UsageError(`Too few arguments. Expected: ${usageOf(spec)}`)
    for (const word of taken) checkChoice(`behind ${usage.split(' ')[0]}`, word, spec.positionals?.[name]?.choices)
    if (dots !== undefined) values[name] = taken
    else if (taken.length > 0) values[name] = taken[0]
    next += taken.length
  }
  if (next < words.length) throw new UsageError(`Unknown argument: ${words[next]}`)
  return values
}

/** As the command's own help has it. */
function usageOf({ head }: CommandSpec): string {
  return /^Usage: (.*)$/m.exec(head)?.[1] ?? ''
}

function checkChoice(where: string, word: string, choices: Options['choices']): void {
  if (choices === undefined || (choices as readonly unknown[]).includes(word)) return
  const meant = wordMeant(word, choices as readonly string[])
  const hint = meant === null ? '' : `. Did you mean ${meant}?`
  throw new MeantError(`Expected ${(choices as readonly string[]).join(' or ')} ${where}, got "${word}"${hint}`)
}
