/** The help: yargs lays it out, and nothing that a command knows may be missing from it. */

import type { Options } from 'yargs'
import { describe, expect, it, vi } from 'vitest'
import { COMMANDS } from '../../build/cli/commands.js'
import { main } from '../../build/cli/main.js'
import type { Command } from '../../build/cli/shared/command.js'

const visible = COMMANDS.filter(({ describe: summary }) => summary !== false)
const program = COMMANDS[0] as Command

async function helpOf(...args: string[]): Promise<string> {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    await main(args)
    return printed.mock.calls.join('\n')
  } finally {
    printed.mockRestore()
  }
}

/** Without the line breaks that 80 columns ask for. */
const flat = (text: string) => text.replace(/\s+/g, ' ')

function expectOption(help: string, name: string, { alias, describe: meaning, choices = [], defaultDescription }: Options) {
  const names = [name, ...[alias ?? []].flat()].toSorted((one, other) => Math.min(one.length, 2) - Math.min(other.length, 2))
  const written = names.map((each) => (each.length === 1 ? `-${each}` : `--${each}`)).join(', ')
  const from = help.indexOf(`  ${written.startsWith('--') ? '    ' : ''}${written} `)
  expect(from, name).toBeGreaterThan(-1)
  const part = flat(help.slice(from, help.indexOf('\n  ', help.indexOf(']\n', from))))
  expect(part).toContain(meaning)
  for (const choice of choices) expect(part).toContain(`"${choice}"`)
  if (defaultDescription !== undefined) expect(part).toContain(`[default: ${defaultDescription}]`)
}

describe('the help of', () => {
  it.each([program, ...visible].map((command) => [command.command, command] as const))(
    '%s says first how it is used, then every option with its meaning, then examples, in 80 columns',
    async (name, { options, usage }) => {
      const help = await helpOf(...(name === '$0' ? [] : [name]), '--help')
      expect(flat(help).startsWith(flat(usage))).toBe(true)
      const places = ['Usage:', 'Options:', 'Examples:'].map((title) => help.indexOf(title)).filter((place) => place !== -1)
      expect(places).toEqual(places.toSorted((one, other) => one - other))
      for (const [option, meaning] of Object.entries(options)) expectOption(help, option, meaning)
      for (const line of help.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
      // They are in docs/cli.md.
      expect(help).not.toMatch(/exit codes?:/i)
    },
  )

  it('an example can be copied: what it is for stands above it, and the whole command on one line', async () => {
    for (const { command, examples } of [program, ...visible]) {
      const help = await helpOf(...(command === '$0' ? [] : [command]), '--help')
      for (const [what, line] of examples) expect(help).toContain(`\n  # ${what}\n  ${line}`)
    }
  })

  it('break says how the token is found', async () => {
    expect(await helpOf('break', '--help')).toContain('locktester status --long ')
  })

  it('the program lists every command, with its other names, and completion', async () => {
    const help = await helpOf('--help')
    for (const { command, aliases, describe: summary } of visible) {
      expect(help).toMatch(new RegExp(`^  locktester ${command} +\\S`, 'm'))
      expect(flat(help)).toContain(summary)
      for (const alias of aliases) expect(help).toContain(`[aliases: ${alias}]`)
    }
    expect(help).toMatch(/^ {2}locktester completion +/m)
    expect(help).not.toContain('agent')
  })

  it('a command is the same for each way of asking for it', async () => {
    expect(await helpOf('help')).toBe(await helpOf('--help'))
    expect(await helpOf('help', 'status')).toBe(await helpOf('status', '--help'))
    expect(await helpOf('status', 'help')).toBe(await helpOf('status', '-h'))
    expect(await helpOf('ls', '--help')).toBe(await helpOf('status', '--help'))
  })
})
