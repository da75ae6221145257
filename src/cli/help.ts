/** What --help prints. Laid out here: to load yargs for it would take longer than everything else. */

import type { Options } from 'yargs'
import type { CommandSpec } from './shared/command.js'
import { COMMANDS, COMPLETION } from './commands.js'
import { TEST_COMMAND } from './test/command.js'

type Row = readonly [what: string, meaning: string]

const GLOBAL: Record<string, Options> = {
  version: { describe: 'Show the version' },
  help: { alias: 'h', describe: 'Show this help' },
}

export function helpText(spec: CommandSpec): string {
  const positionals = Object.entries(spec.positionals ?? {}).map(([name, { describe, choices }]): Row => {
    return [name, meaning(describe, { choices })]
  })
  const options = Object.entries({ ...GLOBAL, ...spec.options }).filter(([, { hidden }]) => hidden !== true)
  const parts = [
    spec.head,
    // Its help is the one of the whole program.
    ...(spec === TEST_COMMAND
      ? list('Commands', [...COMMANDS.flatMap(commandRow), [`locktester ${COMPLETION[0]}`, COMPLETION[1]]])
      : []),
    ...list('Positionals', positionals),
    ...list('Options', options.map(optionRow)),
    spec.tail,
  ]
  return parts.filter(Boolean).join('\n\n')
}

function commandRow({ usage, summary }: CommandSpec): Row[] {
  const [first, ...aliases] = [usage].flat() as [string, ...string[]]
  const alias = aliases.length === 0 ? '' : `  [alias: ${aliases.join(', ')}]`
  return summary === false ? [] : [[`locktester ${first}`, summary + alias]]
}

function optionRow([name, option]: [string, Options]): Row {
  const { alias } = option
  return [`${alias === undefined ? '   ' : `-${alias},`} --${name}`, meaning(option.describe, option)]
}

function meaning(described: string | undefined, { demandOption, choices, default: value }: Options): string {
  return [
    described ?? '',
    ...(demandOption === true ? ['[required]'] : []),
    ...(choices === undefined ? [] : [`[choices: ${choices.join(', ')}]`]),
    ...(value === undefined ? [] : [`[default: ${value}]`]),
  ].join('  ')
}

function list(title: string, rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([what]) => what.length))
  const lines = rows.map(([what, means]) => `  ${what.padEnd(width)}  ${means}`.trimEnd())
  return rows.length === 0 ? [] : [`${title}:\n${lines.join('\n')}`]
}
