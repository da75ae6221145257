/** Help is laid out by hand: nothing that a command knows may be missing from it. */

import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.js'
import { helpText } from '../../src/cli/help.js'
import { TEST_COMMAND } from '../../src/cli/test/command.js'

const visible = COMMANDS.filter(({ summary }) => summary !== false)

describe('the help of', () => {
  it.each([...visible, TEST_COMMAND].map((spec) => [[spec.usage].flat()[0], spec] as const))(
    '%s shows every option with its meaning',
    (_, spec) => {
      const lines = helpText(spec).split('\n')
      expect(lines[0]).toBe('Examples:')
      for (const [name, { alias, describe, choices = [], demandOption, default: value }] of Object.entries(spec.options)) {
        const [line = ''] = lines.filter((each) => each.startsWith(`  ${alias === undefined ? '   ' : `-${alias},`} --${name} `))
        expect(line).toContain(`  ${describe}`)
        expect(line.includes('[required]')).toBe(demandOption === true)
        if (choices.length > 0) expect(line).toContain(`[choices: ${choices.join(', ')}]`)
        if (value !== undefined) expect(line).toContain(`[default: ${value}]`)
      }
      for (const name of Object.keys(spec.positionals ?? {})) expect(lines.join('\n')).toMatch(new RegExp(`^  ${name}\\b`, 'm'))
      expect(lines.join('\n').endsWith(spec.tail)).toBe(true)
    },
  )

  it('the program lists every command, with its other names, and completion', () => {
    const help = helpText(TEST_COMMAND)
    for (const { usage, summary } of visible) {
      const [name, ...aliases] = [usage].flat()
      expect(help).toMatch(new RegExp(`^  locktester ${name?.replaceAll(/[[\]<>.]/g, '\\$&')} +\\S`, 'm'))
      expect(help).toContain(summary)
      for (const alias of aliases) expect(help).toContain(`[alias: ${alias}]`)
    }
    expect(help).toMatch(/^ {2}locktester completion +/m)
    expect(help).not.toContain('agent')
  })
})
