/**
 * `npm run tried`: runs the tests that try file systems of this machine, writes what they have shown to docs/tried, and the tables of
 * docs/file-systems.md. `-- --table`: the tables only, of the files as they are. `-- --lab`: the tests of the lab as well.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { readResults } from './results.js'
import { knownTable, triedTable, withRegion } from './table.js'

const FILE = new URL('../../docs/file-systems.md', import.meta.url)
const HERE = ['--project', 'main', 'test/process/mounts-own-ways.test.ts', 'test/process/mounts-advice.test.ts']

function run(name: string, vitest: readonly string[], environment: Record<string, string> = {}): void {
  const env = { ...process.env, ...environment, MOUNTLOCK_TRIED: name }
  const { status } = spawnSync('npx', ['vitest', 'run', ...vitest], { stdio: 'inherit', env })
  if (status !== 0) process.exitCode = 1
}

if (!process.argv.includes('--table')) {
  run('npm run tried', HERE)
  if (process.argv.includes('--lab')) run('npm run tried -- --lab', ['--project', 'nfs*'], { MOUNTLOCK_LAB: '1' })
}
const page = withRegion(readFileSync(FILE, 'utf8'), 'known', knownTable())
writeFileSync(FILE, withRegion(page, 'tried', triedTable(readResults())))
