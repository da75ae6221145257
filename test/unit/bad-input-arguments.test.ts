/**
 * What may stand on the command line. Goal: whatever it is, the parser ends in one of three ways: a command with options
 * that are what they must be, a text that was asked for, or one complaint and the exit code of wrong usage; never by an
 * error of its own. Method: whole command lines, made of what the commands know and of what nobody means, through the program's own
 * parser and `main`; only what a command would then do is left out.
 */

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type CommandSpec, UsageError } from '../../src/cli/shared/command.js'
import { readCommandLine } from '../../src/cli/command-line.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { main } from '../../src/cli/main.js'

const RUNS = 100_000
const LIMIT = { timeout: 120_000 }
const WRONG_USAGE = 64

const said: string[] = []
beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = 0
})

const names = COMMANDS.flatMap(({ usage }) => usage).map((usage) => usage.split(' ')[0] as string)
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
  isNonemptyText(value.host) && !value.host.startsWith('-') && !value.host.includes('/') && value.directory.startsWith('/')

const OPTION_TYPES: Record<string, (value: never) => boolean> = {
  action: (value) => value === 'check' || value === 'show',
  all: isSwitch,
  chaos: isSwitch,
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
  shared: isSwitch,
  sshCommand: isNonemptyText,
  token: (value) => typeof value === 'bigint' && value >= 0n,
  useSymlinks: isSwitch,
  waitMs: isDuration,
  watchMs: (value) => value === null || (isDuration(value) && Number(value) > 0),
  worker: (value) => value === undefined || value === 'holder' || value === 'hammer',
}

function expectWellFormed(read: unknown): void {
  for (const [name, value] of Object.entries(read ?? {})) {
    const isWellFormed = OPTION_TYPES[name]
    if (isWellFormed === undefined) throw new Error(`Nobody knows what the option ${name} must be`)
    if (!isWellFormed(value as never)) throw new Error(`The option ${name} is ${JSON.stringify(value)}`)
  }
}

/** What the parser may hand to a command, whatever was written: of the declared types, and otherwise anything. */
function parsedFor({ options, positionals = {}, usage }: CommandSpec): fc.Arbitrary<Record<string, unknown>> {
  const isNeeded = (name: string) => String(usage).includes(`<${name}`)
  const values = Object.entries({ ...options, ...positionals }).map(([name, { type, choices, array }]) => {
    const one = choices === undefined ? fc.oneof(argument, numbers) : fc.constantFrom(...choices)
    if (type === 'boolean') return [name, fc.option(fc.boolean(), { nil: undefined })]
    if (name in options && array) return [name, fc.option(fc.array(argument, { minLength: 1, maxLength: 3 }), { nil: undefined })]
    if (array) return [name, fc.array(argument, { minLength: isNeeded(name) ? 1 : 0, maxLength: 3 })]
    return [name, isNeeded(name) || options[name]?.default !== undefined ? one : fc.option(one, { nil: undefined })]
  })
  return fc.record({ ...Object.fromEntries(values), behind: fc.option(fc.array(argument, { maxLength: 3 })) })
}

describe('whatever the arguments are', () => {
  test('they lead to one command with well-formed options, to a text, or to one complaint', LIMIT, async () => {
    const counts = { command: 0, help: 0, version: 0, complaint: 0 }
    const run = async (args: readonly string[]) => {
      try {
        const choice = readCommandLine(args)
        if (choice.kind === 'command') expectWellFormed(choice.spec.read(choice.values))
        counts[choice.kind]++
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        counts.complaint++
        await expectComplaint(args)
      }
    }
    await fc.assert(fc.asyncProperty(lines, run), { numRuns: RUNS })
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
    // None of the ways out is a rare one.
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(RUNS / 200)
  })

  async function expectComplaint(args: readonly string[]): Promise<void> {
    if (args[0] === 'completion') return // the shell's business: nothing is wrong there
    said.length = 0
    await main(args)
    expect(process.exitCode).toBe(WRONG_USAGE)
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/^locktester: [^\p{Cc}]+\nlocktester (\w+ )?--help shows how it is used\.\n$/u)
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

  test('the words behind -- reach the command as they are', LIMIT, () => {
    const first = argument.filter((word) => word !== '')
    fc.assert(
      fc.property(first, fc.array(argument, { maxLength: 6 }), (program, more) => {
        const choice = readCommandLine(['run', '--no-wait', '/lock', '--', program, ...more])
        if (choice.kind !== 'command') throw new Error(`Expected a command, got ${choice.kind}`)
        expect(choice.spec.read(choice.values)).toMatchObject({ path: '/lock', waitMs: 0, command: [program, ...more] })
      }),
      { numRuns: RUNS },
    )
  })

  test('the name of a command may stand behind options, and is no value of one', () => {
    expect(readCommandLine(['--json', 'status', '/a'])).toMatchObject({ kind: 'command', values: { json: true, paths: ['/a'] } })
    expect(readCommandLine(['--config', 'status', '/a'])).toMatchObject({ values: { config: 'status', directory: '/a' } })
    expect(readCommandLine(['--', 'status'])).toMatchObject({ values: { directory: 'status' } })
  })

  test('an option that takes several takes the words behind it, and commas, and no more than its own', () => {
    const read = (...args: string[]) => {
      const choice = readCommandLine(['stress', ...args])
      return choice.kind === 'command' ? (choice.spec.read(choice.values) as { nodes: unknown; json: boolean }) : null
    }
    const nodes = ['a', 'b', 'c'].map((host) => ({ host, directory: '/x' }))
    expect(read('/x', '--nodes', 'a', 'b,c', '--json')).toMatchObject({ nodes, json: true })
    expect(read('--nodes', 'a', 'b', 'c', '/x')).toMatchObject({ nodes })
    expect(read('--nodes', 'a', '--nodes=b,c', '/x')).toMatchObject({ nodes })
    expect(read('--nodes', 'a:/x', 'b:/x', 'c:/x')).toMatchObject({ nodes })
    expect(() => read('/x', '--nodes', 'a', '--', '/y')).toThrow('Unknown argument: /y')
  })
})
