/**
 * `npm run test:nfs -- [--soak] [--publish] [what vitest takes]`: the suite on real NFS, alone. `--soak`: with the full
 * figures, and everything that takes too long for the short run; hours. `--publish`: what was shown goes into the README.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './lab/paths.js'

const OWN_OPTIONS = ['--soak', '--publish']
const own = process.argv.slice(2).filter((argument) => OWN_OPTIONS.includes(argument))
const rest = process.argv.slice(2).filter((argument) => !OWN_OPTIONS.includes(argument))

const environment = { ...process.env, MOUNTLOCK_LAB: '1', ...(own.includes('--soak') && { MOUNTLOCK_SOAK: '1' }) }
process.exitCode = runTool(['vitest', 'run', '--project', 'nfs', ...rest])
if (process.exitCode === 0 && own.includes('--publish')) publish()

function runTool(argv: string[]): number {
  return spawnSync('npx', argv, { cwd: REPOSITORY, stdio: 'inherit', env: environment }).status ?? 1
}

function publish(): void {
  const readme = join(REPOSITORY, 'README.md')
  const results = readFileSync(join(REPOSITORY, '.vitest/nfs-results.md'), 'utf8')
  const region = /(<!-- lab results -->\n)[^]*?(?=<!-- \/lab results -->)/
  const text = readFileSync(readme, 'utf8')
  if (!region.test(text)) throw new Error('README.md has no place for the results: <!-- lab results -->')
  writeFileSync(
    readme,
    text.replace(region, (_, start: string) => `${start}\n${results}\n`),
  )
  runTool(['prettier', '--write', '--log-level', 'warn', 'README.md'])
}
