/**
 * What may stand on the command line. Goal: whatever it is, the parser ends in one of three ways: a command with options
 * that are what they must be, a text that was asked for, or one complaint and the exit code of wrong usage; never by an
 * error of its own. Method: the compiled program's own `main`, in this process; a loader puts stand-ins in the place of what
 * the commands do.
 */

import { register } from 'node:module'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type CommandSpec, UsageError } from '../../src/cli/command.js'
import { COMMANDS } from '../../src/cli/commands.js'

interface Called {
  name: string
  options: Record<string, unknown>
}

const called: Called[] = []
Object.assign(globalThis, { called })

/** What a command would load only when it is chosen is replaced: its functions say that they were called, and with what. */
const LOADER = `
  import { readFileSync } from 'node:fs'
  const standIn = (source) => [...source.matchAll(/export (?:async )?function (\\w+)/g)]
    .map(([, name]) => \`export const \${name} = async (options) => void globalThis.called.push({ name: '\${name}', options: { ...options } })\`)
    .join(';')
  export function resolve(specifier, context, next) {
    const parent = context.parentURL ?? ''
    if (!/\\/cli\\/(.*\\/)?options\\.js$/.test(parent)) return next(specifier, context)
    const isLoadedLate = readFileSync(new URL(parent), 'utf8').includes(\`import('\${specifier}')\`)
    if (!isLoadedLate) return next(specifier, context)
    const source = readFileSync(new URL(specifier, parent), 'utf8')
    return { url: 'data:text/javascript,' + encodeURIComponent(standIn(source)), shortCircuit: true }
  }
`
register(`data:text/javascript,${encodeURIComponent(LOADER)}`)
const { main } = await import('../../dist/cli/main.js')

const RUNS = 100_000
/** The parser that we use takes several milliseconds for a line: the full number is for a machine that has the time. */
const LINES = Number(process.env.MOUNTLOCK_ARGUMENT_CASES ?? 3000)
const LINE_MS_MAX = 100
const WRONG_USAGE = 64

const printed: string[] = []
const said: string[] = []

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation((text) => void printed.push(String(text)))
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Error(`process.exit(${code})`)
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = 0
})

const options = fc.constantFrom(
  '--config',
  '--all',
  '--hold',
  '--no-hold',
  '--json',
  '--quiet',
  '--wait',
  '-w',
  '-n',
  '--no-wait',
  '-E',
  '--conflict-exit-code',
  '--shared',
  '-s',
  '--lock-type',
  '--use-symlinks',
  '--label',
  '--on-loss',
  '--kill-after',
  '-k',
  '--help',
  '-h',
  '--version',
)
const oddOptions = fc.constantFrom(
  '--',
  '-',
  '---',
  '--=',
  '--hold=',
  '--hold=-1',
  '--no-all',
  '--no-no-hold',
  '--__proto__',
  '--__proto__.x=1',
  '--constructor.prototype.x=1',
  '--a.b.c=1',
  '--json=false',
  '--hodl',
  '-wn',
  '-wEk',
  '--wait=1e9',
  '--wait=0x1',
  '--on-loss=die',
  '--lock-type=none',
  '--$0',
  '--_=x',
  '--behind=x',
  '--completion',
  '--get-yargs-completions',
)
const words = fc.constantFrom(
  'demo',
  'run',
  'config',
  'check',
  'show',
  'completion',
  'dmeo',
  '$0',
  '.',
  '',
  ' ',
  '0',
  '-1',
  '1.5',
  '1e400',
  'NaN',
  '/shared/ann',
  '\u0000',
  '\n',
  '*',
  '{}',
  '[object Object]',
)
const argument = fc.oneof(options, oddOptions, words, fc.string({ unit: 'binary', maxLength: 30 }))
const numbers = fc.constantFrom('0', '20', '1.5', '255', '256', '1e9', '-1', '2147484')
const starts = fc.constantFrom<string[][]>(
  [],
  ['run'],
  ['config'],
  ['demo'],
  ['run', '/lock', '--', 'true'],
  ['config', 'show'],
  ['/shared/ann'],
)
const lines = fc.tuple(starts, fc.array(argument, { maxLength: 6 })).map(([start, more]) => [...start, ...more])

async function parse(args: readonly string[]) {
  for (const list of [called, said, printed]) list.length = 0
  process.exitCode = 0
  await main(args)
  return { commands: called, exitCode: process.exitCode }
}

/** What the parser may hand to a command, whatever was written: of the declared types, and otherwise anything. */
function parsedFor({ options, positionals = {} }: CommandSpec): fc.Arbitrary<Record<string, unknown>> {
  const values = Object.entries({ ...options, ...positionals }).map(([name, { type, choices, array }]) => {
    const one = choices === undefined ? fc.oneof(argument, numbers) : fc.constantFrom(...choices)
    const whole = array ? fc.array(argument, { maxLength: 3 }) : fc.option(one, { nil: undefined })
    return [name, type === 'boolean' ? fc.option(fc.boolean(), { nil: undefined }) : whole]
  })
  return fc.record({ ...Object.fromEntries(values), behind: fc.option(fc.array(argument, { maxLength: 3 })) })
}

const isText = (value: unknown) => value === undefined || typeof value === 'string'
const isSwitch = (value: unknown) => value === undefined || typeof value === 'boolean'
const isDuration = (value: unknown) =>
  value === undefined || value === null || (typeof value === 'number' && value >= 0 && value < 2 ** 31)
const isWords = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string')

const isAny = (value: unknown) =>
  isText(value) || isSwitch(value) || isDuration(value) || (Array.isArray(value) && value.every(isText))

const OPTION_TYPES: Record<string, (value: unknown) => boolean> = {
  directory: isText,
  config: isText,
  file: isText,
  label: isText,
  path: (value) => typeof value === 'string' && value !== '',
  command: isWords,
  lockType: (value) => value === undefined || ['linkbased', 'advisory', 'renamebased'].includes(value as string),
  onLoss: (value) => value === 'terminate' || value === 'ignore',
  conflictExitCode: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 255,
  holdMs: isDuration,
  waitMs: isDuration,
  killAfterMs: isDuration,
  all: isSwitch,
  json: isSwitch,
  quiet: isSwitch,
  shared: isSwitch,
  useSymlinks: isSwitch,
}

describe('whatever the arguments are', () => {
  test(
    'they lead to one command with well-formed options, to a text, or to one complaint',
    {
      timeout: LINES * LINE_MS_MAX,
    },
    async () => {
      await fc.assert(
        fc.asyncProperty(lines, async (args) => {
          const { commands, exitCode } = await parse(args)
          if (exitCode === WRONG_USAGE) {
            expect(commands).toEqual([])
            expect(said).toHaveLength(1)
            expect(said[0]).toMatch(/^locktester: [^\p{Cc}]+\nlocktester (\w+ )?--help shows how it is used\.\n$/u)
            return
          }
          expect(exitCode, said.join()).toBe(0)
          expect(said).toEqual([])
          if (commands.length === 0 && !args.includes('--get-yargs-completions')) expect(printed.length).toBeGreaterThan(0)
          expect(commands.length).toBeLessThanOrEqual(1)
          for (const [name, value] of Object.entries(commands[0]?.options ?? {})) {
            const isWellFormed = OPTION_TYPES[name] ?? isAny
            if (!isWellFormed(value)) throw new Error(`The option ${name} is ${JSON.stringify(value)}`)
          }
        }),
        { numRuns: LINES },
      )
      expect(Object.keys(Object.prototype)).toEqual([])
      expect(({} as Record<string, unknown>).x).toBeUndefined()
    },
  )

  test('what a command reads of them is well-formed or a complaint about usage', { timeout: 300_000 }, () => {
    const cases = fc.constantFrom(...COMMANDS).chain((spec) => fc.tuple(fc.constant(spec), parsedFor(spec)))
    fc.assert(
      fc.property(cases, ([spec, values]) => {
        try {
          expect(spec.read(values)).toBeTypeOf('function')
        } catch (error) {
          if (!(error instanceof UsageError)) throw error
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('the words behind -- reach the command as they are', { timeout: LINES * LINE_MS_MAX }, async () => {
    const first = argument.filter((word) => word !== '')
    await fc.assert(
      fc.asyncProperty(first, fc.array(argument, { maxLength: 6 }), async (program, more) => {
        const { commands } = await parse(['run', '--no-wait', '/lock', '--', program, ...more])
        expect(commands).toMatchObject([
          { name: 'runCommand', options: { path: '/lock', waitMs: 0, command: [program, ...more] } },
        ])
      }),
      { numRuns: LINES / 10 },
    )
  })
})
