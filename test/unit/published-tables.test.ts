/** The tables that runs write into the README: nothing is said of what was not shown, and nothing that was shown is left out. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { costsOf, merged, render } from '../nfs/results-reporter.js'
import type { Results } from '../sim/table.js'
import { fullTable, shortTable } from '../sim/table-text.js'

const WHEN = new Date('2026-01-02T03:04:05Z')

const rowsOf = (markdown: string) =>
  markdown.split('\n').filter((line) => line.startsWith('| ') && !/^\| *-|^\| {2}\|/.test(line))

it('the lab: promises that are shown in the same places share a row; figures of failures are not told', () => {
  const shown = (promise: string, configuration: string, variant = '', passed = true, figures = '') => ({
    promise,
    configuration,
    variant,
    figures,
    passed,
    extent: 'short' as const,
    day: '2026-01-02',
  })
  const page = render(
    [
      shown('tells', 'NFSv3'),
      shown('excludes', 'NFSv3', 'flock'),
      shown('excludes', 'NFSv3', 'fcntl', false, '7'),
      shown('excludes', 'NFSv3, noac', 'flock', true, '8'),
      shown('explains', 'NFSv3'),
      shown('starts', 'sshfs', '', false),
      shown('calls per cycle', 'NFSv3', 'flock', true, '3 (OPEN 1, LOCK 2)'),
    ],
    'versions',
  )
  expect(rowsOf(page)).toEqual([
    '| tells<br>explains | yes |  |  |  |  |',
    '| excludes | flock, **not** fcntl |  |  |  | NFSv3, noac: flock |',
    '| starts |  |  |  | **no** |  |',
  ])
  const figures = page.trim().split('\n\n').at(-1) as string
  expect(figures).toBe('- excludes: NFSv3, noac, flock: 8\n- calls per cycle: NFSv3, flock: 3 (OPEN 1, LOCK 2)')
  expect(costsOf(figures)).toBe('- calls per cycle: NFSv3, flock: 3')
})

it('the lab: the parts of a full run are one page, which says what is still of the short run', () => {
  const shown = (promise: string, extent: 'short' | 'full', day: string) =>
    ({ promise, configuration: 'NFSv3', variant: '', figures: `${extent} ${promise}`, passed: true, extent, day }) as const
  const short = [shown('excludes', 'short', '2026-01-01'), shown('tells', 'short', '2026-01-01')]
  const once = merged(short, [shown('tells', 'full', '2026-01-02')])
  expect(render(short, 'versions')).toMatch(/^2026-01-01, the short run, /)
  expect(render(once, 'versions')).toMatch(/^2026-01-01 to 2026-01-02, the full run \(of the short run: NFSv3: excludes\), /)
  expect(render(once, 'versions')).toContain('- excludes: NFSv3: short excludes\n- tells: NFSv3: full tells\n')
  const all = merged(once, [shown('excludes', 'full', '2026-01-02')])
  expect(render(all, 'versions')).toMatch(/^2026-01-02, the full run, /)
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

it('the proof: in short for the README, with every set, and in full', () => {
  const short = shortTable(results, WHEN)
  expect(short).toContain('**No violation** in 2 exhaustive sets, 1,020 states')
  expect(short).toContain(': 2 × 1: 1,000; 2 × 2: 20.')
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
  expect(short).toContain('**No violation** in 1 exhaustive sets, 20 states')
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

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
