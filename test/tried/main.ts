/**
 * `npm run tried`: runs the tests that try file systems of this machine, writes what they have shown to docs/tried, and the tables of
 * docs/file-systems.md and of the README. `-- --table`: the tables only, of the files as they are. `-- --lab [--soak] [what vitest takes]`: instead the
 * tests of the lab, or some of them; with the full figures.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { readmeTable } from './readme-table.js'
import { readResults, readTested } from './results.js'
import { knownTable, triedTable, withRegion } from './table.js'

const FILE = new URL('../../docs/file-systems.md', import.meta.url)
const README = new URL('../../README.md', import.meta.url)
const HERE = ['--project', 'main', 'test/process/mounts-own-ways.test.ts', 'test/process/mounts-advice.test.ts']

function run(name: string, vitest: readonly string[], environment: Record<string, string> = {}): void {
  const env = { ...process.env, ...environment, MOUNTLOCK_TRIED: name }
  const { status } = spawnSync('npx', ['vitest', 'run', ...vitest], { stdio: 'inherit', env })
  if (status !== 0) process.exitCode = 1
}

const args = process.argv.slice(2)
if (args.includes('--lab')) {
  const files = args.filter((arg) => arg !== '--lab' && arg !== '--soak')
  const isSoak = args.includes('--soak')
  const name = `npm run tried -- ${isSoak ? '--lab --soak' : '--lab'}`
  run(name, ['--project', 'nfs*', ...files], { MOUNTLOCK_LAB: '1', ...(isSoak && { MOUNTLOCK_SOAK: '1' }) })
} else if (!args.includes('--table')) {
  run('npm run tried', HERE)
}
const page = withRegion(readFileSync(FILE, 'utf8'), 'known', knownTable())
writeFileSync(FILE, withRegion(page, 'tried', triedTable(readResults())))
writeFileSync(README, withRegion(readFileSync(README, 'utf8'), 'tested', readmeTable(readTested())))
