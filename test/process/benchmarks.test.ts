/** The benchmark harness: that it runs and writes what it says. Its figures do not matter here. */

import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dir } from 'tmp-promise'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeMachine } from '../../benchmarks/machine.js'
import { HELP, readOptions, UsageError } from '../../benchmarks/options.js'
import { publish } from '../../benchmarks/publish.js'
import { emptyAnswer, missingRow, plainRow, ratioRow } from '../../benchmarks/result.js'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

/** A busy machine may take its time; nothing is concluded from how long it took. */
const QUICK_MS_MAX = 300_000

const bench = (...args: string[]) => run(join(root, 'node_modules/.bin/tsx'), ['benchmarks/main.ts', ...args], { cwd: root })

async function temporaryDirectory(): Promise<string> {
  const { path, cleanup } = await dir({ unsafeCleanup: true })
  onTestFinished(() => cleanup())
  return path
}

interface Report {
  version: number
  machine: Record<string, string | number>
  questions: {
    id: string
    rows: Record<'question' | 'subject' | 'place' | 'reached' | 'target' | 'verdict', string>[]
    measurements: { candidate: string; unit: string; rounds: number[][] }[]
    notes: string[]
  }[]
}

describe('the benchmark harness', () => {
  it(
    'asks every question and writes table, samples and report, and leaves nothing behind',
    async () => {
      const [place, results] = [await temporaryDirectory(), await temporaryDirectory()]
      const [json, html] = [join(results, 'out.json'), join(results, 'report.html')]
      const files = ['--json', json, '--html', html]
      const { stdout, stderr } = await bench('--quick', '--dir', place, '--peers', 'proper-lockfile', ...files)

      expect(stderr).toBe('')
      expect(await readdir(place)).toEqual([])
      const report = JSON.parse(await readFile(json, 'utf8')) as Report
      expect(report.version).toBe(1)
      expect(report.machine).toMatchObject({
        node: process.version,
        processor: expect.any(String),
        loadBefore: expect.any(Number),
      })
      expectAnswers(report)
      for (const { rows } of report.questions) for (const { reached } of rows) expect(stdout).toContain(reached)
      await expectSelfContained(html)
    },
    QUICK_MS_MAX,
  )

  it('publishes what has a target in the README, the lock types side by side, and everything on the page below docs', async () => {
    const project = await temporaryDirectory()
    await writeFile(join(project, 'README.md'), 'before\n<!-- bench results -->\nold\n<!-- /bench results -->\nafter\n')
    const row = (subject: string, place = 'ext4') => ({ question: 'cost', subject, place })
    const faster = { words: 'as fast as X', target: '≥ 3 × X', reached: (ratio: number) => ratio >= 3 }
    const rows = [
      plainRow(row('mountlock linkbased'), '4 calls (link), 7 times', '≤ 4', true),
      plainRow(row('mountlock advisory'), '5 calls (open)', '≤ 4', false),
      plainRow(row('mountlock symlinks'), '3 calls', '≤ 4', true),
      ratioRow(row('mountlock renamebased', 'tmpfs'), { median: 3.2, low: 2.1, high: 4 }, faster),
      plainRow(row('another lock'), '9 calls', '', null),
      missingRow(row('nobody'), '', 'it broke'),
    ]
    const question = { id: 'cost', title: 'Cost', about: 'calls', seconds: 1, ...emptyAnswer(), rows }
    const nodes = { ...question, id: 'nodes', rows: [missingRow(row('all', 'nfs'), '≤ 6', 'cost is for the lab')] }
    const where = { machine: describeMachine(0), quick: false, seconds: 1, fileSystem: 'ext4' }
    publish({ ...where, questions: [question, nodes] }, project)

    const readme = await readFile(join(project, 'README.md'), 'utf8')
    expect(readme).toMatch(/^before\n<!-- bench results -->\n\nMeasured on [^]*\n\n<!-- \/bench results -->\nafter\n$/)
    expect(tableRows(readme)).toEqual([
      '| cost | ✔ 4 calls |  | ✘ 5 calls | ≤ 4 |',
      '| cost, tmpfs |  | ✔ 3.20 × |  | ≥ 3 × X |',
      '| cost, nobody | — (it broke) |  |',
    ])
    const page = await readFile(join(project, 'docs/benchmarks/README.md'), 'utf8')
    expect(tableRows(page)).toEqual([
      '| ✔ | cost, ext4 | mountlock linkbased | 4 calls (link), 7 times | ≤ 4 |',
      '| ✘ | cost, ext4 | mountlock advisory | 5 calls (open) | ≤ 4 |',
      '| ✔ | cost, ext4 | mountlock symlinks | 3 calls | ≤ 4 |',
      '| ✔ | cost, tmpfs | mountlock renamebased | 3.20 × (2.10 – 4.00) as fast as X (the target lies within the spread) | ≥ 3 × X |',
      '|  | cost, ext4 | another lock | 9 calls |  |',
      '|  | cost, ext4 | nobody | — (it broke) |  |',
      '| ? | cost, nfs | all | — (cost is for the lab) | ≤ 6 |',
    ])
  })

  it.each([
    [['--only', 'speed'], 'Expected names out of cycle, '],
    [['--only', ','], 'Expected names out of cycle, '],
    [['--peers', 'proper-lockfile,mutex'], 'got "mutex"'],
    [['--dir', '/proc/nowhere'], 'Expected an existing directory after --dir, got "/proc/nowhere"'],
    [['--json', ''], 'Expected the name of a file after --json, got nothing'],
    [['--fast'], "Unknown option '--fast'"],
    [['cycle'], "Unexpected argument 'cycle'"],
  ])('says what is wrong with %j', (args, message) => {
    const reading = () => readOptions(args)
    expect(reading).toThrow(UsageError)
    expect(reading).toThrow(message)
  })

  it('exits with 64 after wrong usage, and measures nothing', async () => {
    const failed: { code: number; stderr: string; stdout: string } = await bench('--only', 'speed').catch((error) => error)
    expect(failed).toMatchObject({ code: 64, stdout: '', stderr: expect.stringContaining('bench: --help shows how it is used.') })
  })

  it('has a help text that begins with examples', () => {
    expect(HELP).toMatch(/^Examples:\n {2}npm run bench/)
  })
})

const tableRows = (markdown: string) => markdown.split('\n').filter((line) => line.startsWith('|') && line.includes('cost'))

function expectAnswers({ questions }: Report): void {
  const ids = [
    'cycle',
    'stall',
    'operations',
    'handoff',
    'nodes',
    'fairness',
    'many',
    'heartbeat',
    'directory',
    'startup',
    'package',
  ]
  expect(questions.map(({ id }) => id)).toEqual(ids)
  for (const { id, rows, measurements } of questions) {
    expect(rows.length, id).toBeGreaterThan(0)
    for (const { verdict } of rows) expect(['met', 'not met', 'no target', 'not measured']).toContain(verdict)
    for (const { rounds } of measurements) expect(rounds.flat().every(Number.isFinite), id).toBe(true)
  }
  const candidates = (id: string) =>
    questions.find((question) => question.id === id)?.measurements.map(({ candidate }) => candidate)
  const names = ['linkbased', 'symlinks', 'renamebased', 'advisory', 'proper-lockfile', 'node-four-calls']
  expect(candidates('cycle')).toEqual(expect.arrayContaining(names))
  expect(candidates('handoff')).toEqual(expect.arrayContaining(['linkbased', 'renamebased', 'advisory']))
}

/** Nothing is fetched from anywhere: no address, no script, no file beside it. */
async function expectSelfContained(file: string): Promise<void> {
  const html = await readFile(file, 'utf8')
  expect(html).toMatch(/^<!doctype html>/)
  expect(html).toContain('<svg')
  expect(html).not.toMatch(/<script|<link|<img|@import|url\(|https?:|NaN|undefined/)
}
