/** docs/file-systems.md and the table that the programs use say the same. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FILE_SYSTEMS } from '../../src/advice/file-systems.js'
import { CELL_TEXTS, RESULTS, TROUBLE_CODES, VERDICTS, WARNING_CODES } from '../../src/cli/shared/verdicts.js'
import { readResults, type Result } from '../tried/results.js'
import { knownTable, region, testedCell, triedTable } from '../tried/table.js'

const RESULT: Result = {
  fileSystem: 'smb',
  what: 'excludes',
  kind: 'symlink',
  how: 'real',
  passed: true,
  run: 'npm run tried',
  day: '2026-01-02',
  kernel: 'Linux 6.1',
  version: '1.0.0',
}

const page = readFileSync(new URL('../../docs/file-systems.md', import.meta.url), 'utf8')

test('the table of what is known is the one that the programs use: npm run tried -- --table writes it', () => {
  expect(region(page, 'known')).toBe(knownTable())
})

test('each file system of the table has its block, and each block a file system', () => {
  const titles = FILE_SYSTEMS.map(({ title }) => title)
  const blocks = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title as string)
  const others = ['What is known', 'What was tried', 'My mount is not trusted: what now']
  expect(blocks.filter((title) => !others.includes(title)).sort()).toEqual([...new Set(titles)].sort())
})

const PARTS = [/\*\*mount\*\*/i, /\*\*install\*\*/i, /\*\*From\*\*/, /\*\*When it fails\*\*/]

test.each(FILE_SYSTEMS.map(({ title }) => title))(
  'the block of %s says what to mount and install, where that is from, and what to do when it fails',
  (title) => {
    const from = page.indexOf(`## ${title}\n`)
    const block = page.slice(from, page.indexOf('\n## ', from))
    expect(PARTS.filter((part) => !part.test(block))).toEqual([])
  },
)

test('the table of what was tried is the one of the result files: npm run tried -- --table writes it', () => {
  expect(region(page, 'tried')).toBe(triedTable(readResults()))
})

test('a row without its result file says that it was not tried, and one with it says when, by which run, with which kernel', () => {
  const of = (title: string, results: readonly Result[]) =>
    triedTable(results)
      .split('\n')
      .find((line) => line.startsWith(`| ${title} |`))
  expect(of('SMB', [])).toBe('| SMB | not tried |  |  |  |')
  expect(of('SMB', [RESULT, { ...RESULT, kind: 'flock', passed: false }])).toBe(
    '| SMB | excludes (symlink, **not** flock) |  | `npm run tried` | 2026-01-02, Linux 6.1 |',
  )
  const mounted = (place: string, kind: string) => ({ ...RESULT, place, kind })
  expect(of('SMB', [mounted('SMB, nolease', 'hard link'), mounted('SMB, mfsymlinks', 'symlink')])).toContain(
    '| excludes (SMB, nolease: hard link; SMB, mfsymlinks: symlink) |',
  )
  expect(of('SMB', [{ ...RESULT, how: 'stand-in' }])).toContain('| SMB | not tried | excludes (symlink) |')
})

/** The README's table: the cells of a column, by the kinds of lock of their row. */
function readmeColumn(title: string): [kinds: string[], cell: string][] {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const lines = readme.slice(readme.indexOf('## What was tested')).split('\n')
  const cellsOf = (line: string) => line.split('|').map((cell) => cell.trim().replaceAll('&nbsp;', ' '))
  const [head = [], , ...rows] = lines.filter((line) => line.startsWith('|')).map(cellsOf)
  const index = head.indexOf(title)
  expect(index, title).toBeGreaterThan(0)
  return rows.slice(0, 4).map((cells) => [(cells[1] as string).split(', '), cells[index] as string])
}

test.each([
  ['CephFS', 'CephFS, MooseFS'],
  ['MooseFS', 'CephFS, MooseFS'],
  ['GlusterFS', 'GlusterFS'],
  ['sshfs', 'sshfs'],
])('what the README says of %s is what its result file shows', (place, column) => {
  const results = readResults()
  const rows = readmeColumn(column)
  expect(rows.map(([kinds]) => kinds.join(', '))).toEqual(['hard link', 'symlink', 'rename', 'flock, fcntl'])
  for (const [kinds, cell] of rows) {
    // No test contends by symlink on GlusterFS, whose brick makes one in steps: test/nfs/README.md.
    const shown = testedCell(place, kinds, results) ?? (place === 'GlusterFS' ? 'rare errors' : 'not tried')
    expect(cell, kinds.join(', ')).toBe(shown)
  }
})

test('a cell of the README is what was shown, and failed where one kind did', () => {
  const of = (kind: string, passed = true, what = 'excludes, in the order of the tokens'): Result => ({
    ...{ fileSystem: 'cephfs', place: 'CephFS', what, kind, how: 'real', passed },
    ...{ run: 'npm run tried', day: '2026-01-02', kernel: 'Linux 6.1', version: '1.0.0' },
  })
  expect(testedCell('CephFS', ['flock', 'fcntl'], [of('flock'), of('fcntl')])).toBe('✔')
  expect(testedCell('CephFS', ['flock', 'fcntl'], [of('flock'), of('fcntl', false)])).toBe('✘')
  expect(testedCell('CephFS', ['rename'], [of('', true, 'refuses rename-based locks, with the reason')])).toBe('refused')
  expect(testedCell('CephFS', ['symlink'], [of('flock')])).toBeNull()
})

test('each result is of a file system of the table', () => {
  const ids = FILE_SYSTEMS.map(({ id }) => id)
  expect(readResults().filter(({ fileSystem }) => !ids.includes(fileSystem))).toEqual([])
})

test('whatever doctor, nodes and the test come to, there is a next step, and of nothing else', () => {
  const section = page.slice(page.indexOf('## My mount is not trusted'))
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.flatMap((line) =>
    [...(line.split(' | ')[0] as string).matchAll(/`([^`]+)`/g)].map(([, word]) => word as string),
  )
  // A family of codes, and an error of the library that stands beside what doctor says of it.
  const others = ['CONFIG_…', 'LOCK_…', 'HARD_LINKS_UNSAFE']
  const verdicts = [...TROUBLE_CODES, ...Object.values(CELL_TEXTS), ...RESULTS, ...VERDICTS, ...WARNING_CODES, ...others]
  expect([...named].sort()).toEqual([...new Set(verdicts)].sort())
  for (const line of rows) expect(line.split(' | ')).toHaveLength(3)
})
