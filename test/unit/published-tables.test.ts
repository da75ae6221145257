/** The tables that runs write into the README: nothing is said of what was not shown, and nothing that was shown is left out. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { costsTable, figuresText, merged, promisesTable, type Result, runsText } from '../nfs/results-pages.js'
import type { Results } from '../sim/table.js'
import { fullTable, shortTable } from '../sim/table-text.js'

const WHEN = new Date('2026-01-02T03:04:05Z')

const rowsOf = (markdown: string) =>
  markdown.split('\n').filter((line) => line.startsWith('| ') && !/^\| *-|^\| {2}\|/.test(line))

/** A result of the lab. */
const shown = (promise: string, configuration: string, rest: Partial<Result> = {}): Result => {
  return {
    promise,
    configuration,
    variant: '',
    figures: '',
    passed: true,
    extent: 'short',
    day: '2026-01-02',
    versions: 'Node 20',
    ...rest,
  }
}

it('the lab: a row for each promise, a cell for each place, and what was shown elsewhere with its place', () => {
  const page = promisesTable([
    shown('tells', 'NFSv3'),
    shown('excludes', 'NFSv3', { variant: 'flock' }),
    shown('excludes', 'NFSv3', { variant: 'fcntl', passed: false }),
    shown('excludes', 'NFSv3, noac', { variant: 'flock' }),
    shown('explains', 'NFSv3'),
    shown('starts', 'sshfs', { passed: false }),
    shown('calls per cycle', 'NFSv3', { figures: '3' }),
    shown('lost without it, for comparison', 'NFSv3', { figures: '4' }),
  ])
  expect(rowsOf(page)).toEqual([
    '| tells | yes |  |  |  |  |',
    '| excludes | flock, **not** fcntl |  |  |  | NFSv3, noac: flock |',
    '| explains | yes |  |  |  |  |',
    '| starts |  |  |  | **no** |  |',
  ])
})

it('the lab: a row for each figure, none of what failed, and which calls they are is left out of what it costs', () => {
  const results = [
    shown('excludes', 'NFSv3', { variant: 'fcntl', passed: false, figures: '7' }),
    shown('excludes', 'NFSv3, noac', { variant: 'flock', figures: '8' }),
    shown('calls per cycle', 'NFSv3', { variant: 'flock', figures: '3 (OPEN 1, LOCK 2)' }),
  ]
  const figures = figuresText(results)
  expect(figures.match(/^### .*/gm)).toEqual(['### excludes', '### calls per cycle'])
  expect(rowsOf(figures)).toEqual([
    '| where | with | figures |',
    '| NFSv3, noac | flock | 8 |',
    '| where | with | figures |',
    '| NFSv3 | flock | 3 (OPEN 1, LOCK 2) |',
  ])
  expect(rowsOf(costsTable(results))).toEqual(['| calls per cycle, flock | 3 |'])
})

it('the lab: what a later run has not shown stays, with the mark of its run; what it has shown replaces the earlier', () => {
  const full = { extent: 'full', figures: 'old' } as const
  const earlier = [shown('excludes', 'NFSv3', { ...full, day: '2026-01-01' }), shown('tells', 'NFSv3', full)]
  const later = [shown('tells', 'NFSv3', { day: '2026-01-03', figures: 'new' })]
  const all = merged(earlier, later)
  expect(runsText(earlier)).toBe('2026-01-01 to 2026-01-02, the full run. Node 20.')
  expect(runsText(all)).toBe(
    '2026-01-03, the short run. Node 20.<br>\n² Not shown by a later run: 2026-01-01, the full run. Node 20.',
  )
  expect(rowsOf(promisesTable(all))).toEqual(['| tells | yes |  |  |  |  |', '| excludes | yes² |  |  |  |  |'])
  expect(rowsOf(figuresText(all))).toContain('| NFSv3² |  | old |')
  expect(rowsOf(figuresText(all))).toContain('| NFSv3 |  | new |')
})

it('the lab: the pages are those of the results that were published (npm run test:nfs -- --publish writes them)', () => {
  const published = JSON.parse(read('test/nfs/published.json')) as Result[]
  const tested = read('docs/tested.md')
  for (const part of [runsText, promisesTable, costsTable]) expect(tested).toContain(part(published))
  for (const part of [runsText, figuresText]) expect(read('docs/lab.md')).toContain(part(published))
})

const results: Results = {
  sets: [
    { name: '2 × 1', end: 'no violation', extent: { states: 1000, transitions: 3000 } },
    { name: '2 × 2', end: 'no violation', extent: { states: 20, transitions: 30 } },
  ],
  sample: { name: 'all faults', end: 'no violation', extent: { schedules: 5, acquisitions: 6, operations: 7 } },
  catches: [
    { system: 'no listing', exhaustive: 'token twice: 29 states', set: '2 × 1', random: null, isCaught: true },
    {
      system: 'no floor',
      exhaustive: 'nothing in 9 states',
      random: 'nothing in 1 schedule',
      isCaught: false,
      redundantBecause: 'it is',
    },
  ],
}

it('the proof: in short, with the sum of the sets, and beside it in full, with every set', () => {
  const short = shortTable(results, WHEN)
  expect(short).toContain('**No violation** in 2 exhaustive sets, 1,020 states together.')
  expect(short).toContain('(proof.md#the-run)')
  expect(short).toContain('**No violation** at random, all faults: 5 schedules, 6 acquisitions, 7 operations.')
  expect(rowsOf(short).slice(1)).toEqual([
    '| no listing | token twice: 29 states | – |',
    '| no floor (redundant) | nothing in 9 states | nothing in 1 schedule |',
  ])
  const full = rowsOf(fullTable(results, WHEN))
  expect(full).toContain('| 2 × 1 | no violation | 1,000 | 3,000 |')
  expect(full).toContain('| all faults | no violation | 5 | 6 | 7 |')
  expect(full).toContain('| no listing | token twice: 29 states (2 × 1) | – |')
  expect(full).toContain('| no floor (redundant: it is) | nothing in 9 states | nothing in 1 schedule |')
})

it('the proof: what failed is said first, and not counted as explored', () => {
  const [first = results.sample, ...others] = results.sets
  const failed = {
    ...results,
    sets: [{ ...first, end: 'token 7 twice' }, ...others],
    sample: { ...results.sample, end: 'seed 3: left behind' },
  }
  const short = shortTable(failed, WHEN)
  expect(short).toContain('**Not so:** 2 × 1: token 7 twice')
  expect(short).toContain('**Not so:** all faults: seed 3: left behind')
  expect(short).toContain('**No violation** in 1 exhaustive set, 20 states')
  expect(short).not.toContain('at random, all faults')
})

it('the pages name the direct dependencies that the package has', () => {
  const { dependencies, optionalDependencies } = JSON.parse(read('package.json'))
  const [needed, optional] = [Object.keys(dependencies), Object.keys(optionalDependencies)]
  const names = [...needed, ...optional.map((name) => `${name}, optional`)].join(', ')
  const count = needed.length + optional.length
  expect(read('docs/benchmarks/README.md')).toContain(`| direct dependencies | mountlock | ${count} (${names}) |`)
  expect(read('docs/performance.md')).toContain(`| direct dependencies, mountlock | ✔ ${count} |`)
})

it('the figures of cost in the README are those of the pages', () => {
  const cost =
    /take (\d+) µs, with proper-lockfile ([\d.]+) times as long.* they are (\d+) requests, (\d+) by rename, and a hand-off takes (\d+) ms/
  const [, ...told] = cost.exec(read('README.md')) ?? []
  const page = read('docs/performance.md')
  const ofPage = (pattern: RegExp) => Number(pattern.exec(page)?.[1])
  const published = JSON.parse(read('test/nfs/published.json')) as Result[]
  const requests = (variant: string) =>
    published.find(
      (result) =>
        result.promise === 'calls per acquire + release' && result.configuration === 'NFSv3' && result.variant === variant,
    )
  expect(told.map(Number)).toEqual([
    Math.round(ofPage(/a cycle of ours takes ([\d.]+)/)),
    Number(ofPage(/acquire \+ release, blocking \| [✔✘] ([\d.]+) × .*≥ 5 × faster than proper-lockfile/).toFixed(1)),
    ...['hard link', 'rename'].map((kind) => Math.round(Number.parseFloat(requests(kind)?.figures ?? ''))),
    ofPage(/hand-off, NFSv3 \| ✔ (\d+),/),
  ])
})

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
