/** docs/file-systems.md, the README, the result files and the table that the programs use say the same. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FILE_SYSTEMS } from '../../src/advice/file-systems.js'
import { CELL_TEXTS, RESULTS, TROUBLE_CODES, VERDICTS, WARNING_CODES } from '../../src/cli/shared/verdicts.js'
import { readmeTable, testedCell } from '../tried/readme-table.js'
import { readResults, readTested, type Result } from '../tried/results.js'
import { knownTable, region, triedTable } from '../tried/table.js'

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

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The cells of the README's table, without the kinds of lock before each row. */
const cellsOf = (table: string): string[][] =>
  table
    .split('\n')
    .slice(2)
    .map((line) => line.split(' | ').slice(1))

test('each cell of the README is what the results show: npm run tried -- --table writes them', () => {
  expect(region(readme, 'tested')).toBe(readmeTable(readTested()))
})

test('each cell of the README that says something has a result, without which it says that it was not tried', () => {
  const cells = cellsOf(readmeTable([]))
  expect(cells).toHaveLength(4)
  for (const row of cells) for (const cell of row) expect(cell.replace(/ \|$/, '')).toBe('not&nbsp;tried')
  const results = readTested()
  for (const { run, day, kernel } of results) {
    expect(run).toMatch(/^npm run /)
    expect(day).toMatch(/^\d{4}-\d\d-\d\d( to \d{4}-\d\d-\d\d)?$/)
    expect(kernel).toMatch(/Linux \d/)
  }
  const without = (place: string, kind: string) => results.filter((each) => each.place !== place || each.kind !== kind)
  const flock = ['flock', 'fcntl']
  expect(testedCell('NFSv3, v4.1, v4.2', flock, results)).toBe('✔')
  expect(testedCell('NFSv3, v4.1, v4.2', flock, without('NFSv4.1', 'fcntl'))).toBe('✔, not tried')
  expect(testedCell('NFS (Ganesha)', ['rename'], without('NFS-Ganesha, NFSv4.2', 'rename'))).toBe('not tried')
  expect(testedCell('CephFS, MooseFS', ['symlink'], without('MooseFS', 'symlink'))).toBe('not tried')
  const onSmb = results.filter(({ place = '', kind }) => !place.startsWith('SMB, ') || kind !== 'fcntl')
  expect(testedCell('SMB (Samba) with', flock, onSmb)).toMatch(/, not tried$/)
})

test('a cell of the README is what was shown, with the option that it needs, and failed where one kind did', () => {
  const of = (place: string, kind: string, passed = true, what = 'excludes, in the order of the tokens'): Result => ({
    ...{ fileSystem: 'any', place, what, kind, how: 'real', passed },
    ...{ run: 'npm run tried', day: '2026-01-02', kernel: 'Linux 6.1', version: '1.0.0' },
  })
  const flock = ['flock', 'fcntl']
  expect(testedCell('sshfs', flock, [of('sshfs', 'flock'), of('sshfs', 'fcntl')])).toBe('✔')
  expect(testedCell('sshfs', flock, [of('sshfs', 'flock'), of('sshfs', 'fcntl', false)])).toBe('✔, ✘')
  expect(testedCell('sshfs', flock, [of('sshfs', 'flock')])).toBe('✔, not tried')
  expect(testedCell('sshfs', flock, [of('sshfs', '', true, 'locktester: says that advisory locks do not exclude')])).toBe('–')
  expect(testedCell('sshfs', ['symlink'], [{ ...of('sshfs', 'symlink'), how: 'stand-in' }])).toBe('not tried')
  expect(testedCell('sshfs', ['rename'], [of('sshfs', '', true, 'refuses rename-based locks, with the reason')])).toBe('refused')
  expect(testedCell('SMB (Samba) with', ['hard link'], [of('SMB, nolease,mfsymlinks', 'hard link')])).toBe('✔ `nolease`')
  expect(testedCell('SMB (Samba) with', ['hard link'], [of('SMB, mfsymlinks', 'hard link')])).toBe('not tried')
  const versions = ['NFSv3', 'NFSv4.1', 'NFSv4.2'].map((place) => of(place, 'rename'))
  expect(testedCell('NFSv3, v4.1, v4.2', ['rename'], versions)).toBe('✔')
  expect(testedCell('NFSv3, v4.1, v4.2', ['rename'], versions.slice(1))).toBe('not tried')
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
  const others = ['CONFIG_…', 'LOCK_…', 'HARD_LINKS_UNSAFE', 'FLOCK_UNSAFE']
  const verdicts = [...TROUBLE_CODES, ...Object.values(CELL_TEXTS), ...RESULTS, ...VERDICTS, ...WARNING_CODES, ...others]
  expect([...named].sort()).toEqual([...new Set(verdicts)].sort())
  for (const line of rows) expect(line.split(' | ')).toHaveLength(3)
})
