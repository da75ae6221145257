/**
 * What may stand on the command line. Goal: whatever it is, the parser ends in one of three ways: a command with options
 * that are what they must be, a text that was asked for, or one complaint and the exit code of wrong usage; never by an
 * error of its own. Method: whole command lines, made of what the commands know and of words without a meaning, through the program's own
 * parser and `main`; only what a command would then do is left out.
 */

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { COMMANDS } from '../../build/cli/commands.js'
import type { Command } from '../../build/cli/shared/command.js'
import { UsageError } from '../../build/cli/shared/usage.js'
import { chosenBy } from './record-command.js'

const RUNS = 100_000
/** Each makes a parser: a few milliseconds. */
const LINES = 500
/** They wait for nothing but their own work, and that is a number of runs: no clock says when it takes too long. */
const LIMIT = { timeout: 0 }
const WRONG_USAGE = 64

const said: string[] = []
beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = 0
})

const names = COMMANDS.flatMap(({ command, aliases }) => [command, ...aliases])
const written = COMMANDS.flatMap((spec) =>
  Object.entries(spec.options).flatMap(([name, { alias }]) => [`--${name}`, ...(typeof alias === 'string' ? [`-${alias}`] : [])]),
)
const options = fc.constantFrom(...new Set(written))
const oddOptions = fc.constantFrom(
  ...[
    '--',
    '-',
    '---',
    '--=',
    '-=',
    '-h',
    '--help',
    '--version',
    '--hold=',
    '--hold=-1',
    '--no-all',
    '--no-no-hold',
    '--__proto__',
  ],
  ...[
    '--__proto__.x=1',
    '--constructor.prototype.x=1',
    '--constructor',
    '--toString',
    '--a.b.c=1',
    '--json=false',
    '--hodl',
    '-wn',
  ],
  ...['-wEk', '-E0', '--wait=1e9', '--wait=0x1', '--on-loss=die', '--lock-type=none', '--$0', '--_=x', '--behind=x', '--procs=0'],
  ...['--nodes=a,b', '--nodes=:/', '--kind=flok', '--kinds=,', '--token=-1', '--depth=1e3', '--duration=0', '--worker=hammer'],
)
const words = fc.constantFrom(
  ...[
    ...names,
    'check',
    'show',
    'completion',
    'dmeo',
    '.',
    '',
    ' ',
    '0',
    '-1',
    '1.5',
    '1e400',
    'NaN',
    '/shared/ann',
    'local',
    'node1',
  ],
  ...['node1:/shared', ':/', '[::1]:/x', 'a,b', '\u0000', '\n', '*', '{}', '[object Object]', '__proto__', 'constructor'],
)
const argument = fc.oneof(options, oddOptions, words, fc.string({ unit: 'binary', maxLength: 30 }))
const numbers = fc.constantFrom('0', '20', '1.5', '255', '256', '1e9', '-1', '2147484')
const starts = fc.constantFrom<string[][]>(
  [],
  ...names.map((name) => [name]),
  ['run', '/lock', '--', 'true'],
  ['config', 'show'],
  ['/shared/ann'],
  ['nodes', 'local', 'local', '/shared'],
  ['stress', '/shared', '--nodes'],
  ['break', '/lock', '--token'],
)
const lines = fc.tuple(starts, fc.array(argument, { maxLength: 6 })).map(([start, more]) => [...start, ...more])

const isText = (value: unknown) => value === undefined || typeof value === 'string'
const isSwitch = (value: unknown) => value === undefined || typeof value === 'boolean'
const isDuration = (value: unknown) =>
  value === undefined || value === null || (typeof value === 'number' && value >= 0 && value < 2 ** 31)
const isNonemptyText = (value: unknown) => typeof value === 'string' && value !== ''
const isWords = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string')
const isPaths = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isNonemptyText)
const isWhole = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most
const isAddress = (value: { host: string; directory: string }) =>
  isNonemptyText(value.host) && /^(ssh:\/\/)?[^-/][^/]*$/.test(value.host) && value.directory.startsWith('/')

const OPTION_TYPES: Record<string, (value: never) => boolean> = {
  action: (value) => value === 'check' || value === 'show',
  all: isSwitch,
  chaos: isSwitch,
  close: isSwitch,
  command: isWords,
  config: isText,
  conflictExitCode: isWhole(0, 255),
  depthMax: isWhole(0, 99),
  directories: isPaths,
  directory: isText,
  dryRun: isSwitch,
  durationMs: (value) => isDuration(value) && Number(value) > 0 && Number(value) <= 3_600_000,
  file: isText,
  holdMs: isDuration,
  html: isText,
  json: isSwitch,
  killAfterMs: isDuration,
  kind: (value) => value === undefined || isNonemptyText(value),
  kinds: isPaths,
  label: isText,
  lockType: (value) => value === undefined || ['linkbased', 'advisory', 'renamebased'].includes(value),
  nodes: (value: { host: string; directory: string }[]) => value.length > 0 && value.every(isAddress),
  olderThanMs: isDuration,
  onLoss: (value) => value === 'terminate' || value === 'ignore',
  path: isNonemptyText,
  paths: isPaths,
  processes: isWhole(1, 64),
  quiet: isSwitch,
  remoteCommand: isText,
  report: isText,
  shared: isSwitch,
  sshCommand: isNonemptyText,
  token: (value) => typeof value === 'bigint' && value >= 0n,
  unlock: isSwitch,
  useSymlinks: isSwitch,
  verbose: isSwitch,
  waitMs: isDuration,
  workbench: isSwitch,
  watchMs: (value) => value === null || (isDuration(value) && Number(value) > 0),
  worker: (value) => value === undefined || value === 'holder' || value === 'hammer',
}

function expectWellFormed(read: unknown): void {
  for (const [name, value] of Object.entries(read ?? {})) {
    const isWellFormed = OPTION_TYPES[name]
    if (isWellFormed === undefined) throw new Error(`It is not said here what the option ${name} must be`)
    if (!isWellFormed(value as never)) throw new Error(`The option ${name} is ${JSON.stringify(value)}`)
  }
}

/** What the parser may hand to a command, whatever was written: options of the declared types, and any words. */
function parsedFor({ command, options }: Command): fc.Arbitrary<Record<string, unknown>> {
  const values = Object.entries(options).map(([name, { type, choices, array, default: byDefault }]) => {
    const one = choices === undefined ? fc.oneof(argument, numbers) : fc.constantFrom(...choices)
    if (type === 'boolean') return [name, fc.option(fc.boolean(), { nil: undefined })]
    if (array) return [name, fc.option(fc.array(argument, { minLength: 1, maxLength: 3 }), { nil: undefined })]
    return [name, byDefault !== undefined ? one : fc.option(one, { nil: undefined })]
  })
  const words = fc.array(argument, { maxLength: 3 })
  const own = words.map((more) => (command === '$0' ? more : [command, ...more]))
  return fc.record({ ...Object.fromEntries(values), _: own, '--': fc.option(words, { nil: undefined }) })
}

describe('whatever the arguments are', () => {
  test('they lead to one command with well-formed options, to a text, or to one complaint', LIMIT, async () => {
    const counts = { command: 0, text: 0, complaint: 0 }
    const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
    const run = async (args: readonly string[]) => {
      said.length = 0
      printed.mockClear()
      process.exitCode = 0
      const chosen = await chosenBy(args)
      if (chosen !== null) expectWellFormed(chosen.options)
      else if (printed.mock.calls.length === 0) expectComplaint()
      if (said.length + printed.mock.calls.length > (chosen === null ? 1 : 0)) throw new Error(`It said more: ${said}`)
      counts[chosen !== null ? 'command' : said.length > 0 ? 'complaint' : 'text']++
    }
    await fc.assert(fc.asyncProperty(lines, run), { numRuns: LINES })
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
    // None of the ways out is a rare one.
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(LINES / 200)
  })

  function expectComplaint(): void {
    expect(process.exitCode).toBe(WRONG_USAGE)
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/^locktester( \w+)?: error: [^\p{Cc}]+\nlocktester\1 --help shows how it is used\.\n$/u)
  }

  test('what a command reads of them is well-formed or a complaint about usage', LIMIT, () => {
    const cases = fc.constantFrom(...COMMANDS).chain((spec) => fc.tuple(fc.constant(spec), parsedFor(spec)))
    fc.assert(
      fc.property(cases, ([spec, values]) => {
        try {
          expectWellFormed(spec.read(values))
        } catch (error) {
          if (!(error instanceof UsageError)) throw error
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('the words behind -- reach the command as they are', LIMIT, async () => {
    const first = argument.filter((word) => word !== '')
    const reach = async (program: string, more: string[]) => {
      const chosen = await chosenBy(['run', '--no-wait', '/lock', '--', program, ...more])
      expect(chosen).toMatchObject({ options: { path: '/lock', waitMs: 0, command: [program, ...more] } })
    }
    await fc.assert(fc.asyncProperty(first, fc.array(argument, { maxLength: 6 }), reach), { numRuns: LINES })
  })

  test('without -- so do those from the first one behind the path that is no option', LIMIT, async () => {
    const first = argument.filter((word) => word !== '' && !word.startsWith('-'))
    const others = fc.array(
      argument.filter((word) => word !== '--'),
      { maxLength: 6 },
    )
    const reach = async (program: string, more: string[]) => {
      const chosen = await chosenBy(['run', '-n', '/lock', '--label', 'l', '-s', program, ...more])
      expect(chosen).toMatchObject({ options: { path: '/lock', waitMs: 0, shared: true, command: [program, ...more] } })
    }
    await fc.assert(fc.asyncProperty(first, others, reach), { numRuns: LINES })
  })
})
