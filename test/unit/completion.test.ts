/** What a shell completes is what the help shows: the same names, of the same command, and no others. */

import { expect, test } from 'vitest'
import { COMMANDS } from '../../build/cli/commands.js'
import { completionLines } from '../../build/cli/completion.js'

const textsFor = (...words: string[]) => completionLines(words, COMMANDS, { SHELL: '/bin/bash' })
const visible = COMMANDS.filter(({ describe }) => describe !== false)

test.each(visible.map((command) => [command.command, command] as const))(
  '%s: every option by every name that it has',
  (name, { options }) => {
    const names = Object.entries(options).flatMap(([option, { alias }]) => [option, ...[alias ?? []].flat()])
    const written = names.map((each) => (each.length === 1 ? `-${each}` : `--${each}`))
    expect(textsFor(name, '-').toSorted()).toEqual([...written, '--help', '-h', '--version'].toSorted())
  },
)

test('without a command: the commands, and the options of the test only', () => {
  expect(textsFor('')).toEqual([...visible.map(({ command }) => command), 'completion'])
  expect(textsFor('--')).toEqual([
    '--help',
    '--version',
    '--config',
    '--workbench',
    '--all',
    '--hold',
    '--no-hold',
    '--json',
    '--quiet',
  ])
})

test.each([
  [['st'], ['status', 'stress']],
  [
    ['config', ''],
    ['check', 'show'],
  ],
  [['config', 'check', '--j'], ['--json']],
  [['ls', '--l'], ['--long']],
  [['run', '--wa'], ['--wait']],
  [
    ['run', '--lock-type', ''],
    ['linkbased', 'advisory', 'renamebased'],
  ],
  [['run', '--lock-type', 'a'], ['advisory']],
  // These are not given twice, whichever name was taken.
  [['run', '-n', '--no'], ['--no-fork']],
  [['stress', '--nodes', 'a', '--nodes', 'b', '--nod'], ['--nodes']],
  // For these the shell completes the names of files.
  [['status', ''], []],
  [['run', '--config', ''], []],
  [['run', '/lock', '--', 'ls', '-'], []],
])('%j: %j', (words, texts) => {
  expect(textsFor(...words)).toEqual(texts)
})

test('zsh shows what each is for', () => {
  expect(completionLines(['doctor', '--r'], COMMANDS, { SHELL: '/bin/zsh' })).toEqual([expect.stringMatching(/^--report:\S.*/)])
  expect(completionLines(['doctor', '--r'], COMMANDS, { SHELL: '/bin/bash' })).toEqual(['--report'])
})
