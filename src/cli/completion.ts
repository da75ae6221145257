/**
 * What a shell may complete a command line with, from the same tables as the help and the manual page. The script that asks is
 * yargs' own; its answers would leave out every option that has another name as well, and offer those of other commands.
 */

import type { Options } from 'yargs'
import { type Command, COMPLETION, DEFAULT_COMMAND, GLOBAL_OPTIONS } from './shared/command.js'

interface Completion {
  text: string
  meaning: string
}

/** @param words of the line, without the program's name; the last one is being written. None: files, as the shell does it */
function completionsOf(words: readonly string[], commands: readonly Command[]): Completion[] {
  const [before, current] = [words.slice(0, -1), words.at(-1) ?? '']
  if (before.includes('--')) return []
  const { command, inner } = commandIn(before, commands)
  const options = Object.entries({ ...GLOBAL_OPTIONS, ...command?.options })
  const asked = options.find(([name, option]) => namesOf(name, option).includes(before.at(-1) ?? ''))?.[1]
  if (asked !== undefined && asked.type !== 'boolean')
    return [asked.choices ?? []].flat().map(withoutMeaning).filter(begins(current))
  if (!current.startsWith('-')) return inner.filter(begins(current))
  return options
    .filter(([name, option]) => option.array === true || !namesOf(name, option).some((each) => before.includes(each)))
    .flatMap(([name, option]) => namesOf(name, option).map((text) => ({ text, meaning: option.describe ?? '' })))
    .filter(begins(current))
}

const begins = (current: string) => (completion: Completion) => completion.text.startsWith(current)
const withoutMeaning = (text: unknown): Completion => ({ text: String(text), meaning: '' })

function namesOf(name: string, { alias }: Options): string[] {
  return [name, ...[alias ?? []].flat()].map((each) => (each.length === 1 ? `-${each}` : `--${each}`))
}

/** The command whose options are meant, and the commands whose names may stand here. */
function commandIn(
  before: readonly string[],
  commands: readonly Command[],
): { command: Command | undefined; inner: Completion[] } {
  let command = commands.find((each) => each.command === DEFAULT_COMMAND)
  let inner = [...named(commands), { text: COMPLETION.command, meaning: COMPLETION.describe }]
  for (const word of before.filter((each) => !each.startsWith('-'))) {
    const among: readonly Command[] = command?.command === DEFAULT_COMMAND ? commands : (command?.commands ?? [])
    const found = among.find((each) => [each.command, ...each.aliases].includes(word))
    if (found === undefined) return { command, inner: [] }
    command = found
    inner = named(found.commands)
  }
  return { command, inner }
}

const named = (commands: readonly Command[]): Completion[] =>
  commands.flatMap(({ command, describe }) => (describe ? [{ text: command, meaning: describe }] : []))

/** As the script of the user's shell wants it: zsh shows what each is for. */
export function completionLines(words: readonly string[], commands: readonly Command[], env = process.env): string[] {
  const isZsh = env.SHELL?.includes('zsh') === true || env.ZSH_NAME !== undefined
  const line = ({ text, meaning }: Completion) => (meaning === '' ? text : `${text.replaceAll(':', '\\:')}:${meaning}`)
  return completionsOf(words, commands).map((each) => (isZsh ? line(each) : each.text))
}
