/**
 * `npm run test:nfs -- [--soak] [--publish] [--accel uml|tcg] [what vitest takes]`: the suite on real NFS, alone. `--soak`: with
 * the full figures, and everything that takes too long for the short run; hours. Of some files only, it is a part of such a run:
 * what it shows is added to what the parts before have shown. `--publish`: what was shown, and what it
 * costs, goes into docs/tested.md and the README's table, and all figures into docs/lab.md. `--accel`: the kind of the lab's machines.
 * `npm run test:nfs -- --publish-last`: publishes what the last run of the lab has left, `.ci/run` included; runs nothing.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readmeTable } from '../tried/readme-table.js'
import { readTested } from '../tried/results.js'
import { REPOSITORY } from './lab/paths.js'
import { costsTable, figuresText, merged, promisesTable, type Result, runsText } from './results-pages.js'
import { STORE } from './results-reporter.js'

/** What the pages show, and the next run adds to. */
const PUBLISHED = 'test/nfs/published.json'

const rest = process.argv.slice(2)
const isSoak = take('--soak').length > 0
const isPublished = take('--publish').length > 0
const isLast = take('--publish-last').length > 0
const [, accelerator] = take('--accel', 1)

if (isLast) publish()
else {
  const environment = {
    ...process.env,
    MOUNTLOCK_LAB: '1',
    ...(isSoak && { MOUNTLOCK_SOAK: '1' }),
    ...(isSoak && rest.length > 0 && { MOUNTLOCK_LAB_PART: '1' }),
    ...(accelerator !== undefined && { MOUNTLOCK_LAB_ACCEL: accelerator }),
  }
  const vitest = ['vitest', 'run', '--project', 'nfs*', ...rest]
  process.exitCode = spawnSync('npx', vitest, { cwd: REPOSITORY, stdio: 'inherit', env: environment }).status ?? 1
  if (process.exitCode === 0 && isPublished) publish()
}

/** Takes an option of our own, and so many values, out of what is vitest's. */
function take(option: string, values = 0): string[] {
  const index = rest.indexOf(option)
  return index < 0 ? [] : rest.splice(index, 1 + values)
}

/** Table and costs go into docs/tested.md, one promise a row, and the figures, which are long, into a page of their own. */
function publish(): void {
  const [last, published] = [STORE, PUBLISHED].map((file) => readResults(join(REPOSITORY, file))) as [Result[], Result[]]
  const failed = last.filter(({ passed }) => !passed)
  if (last.length === 0) throw new Error(`No run has left its results in ${STORE}: .ci/run and npm run test:nfs do`)
  // What fails is mended, or the page says so after a look at it.
  if (failed.length > 0 && isLast)
    throw new Error(`The last run did not keep its promises: ${failed.map(({ promise }) => promise).join('; ')}`)
  // A whole full run has shown all that there is: what it has not, is no promise any more.
  const isWhole = isSoak && rest.length === 0
  const results = isWhole ? last : merged(published, last)
  writeFileSync(join(REPOSITORY, PUBLISHED), `${JSON.stringify(results, null, 2)}\n`)
  writeRegion('docs/tested.md', 'lab results', `${runsText(results)}\n\n${promisesTable(results)}`)
  writeRegion('docs/tested.md', 'lab costs', costsTable(results))
  writeRegion('docs/lab.md', 'lab figures', `${runsText(results)}\n\n${figuresText(results)}`)
  writeRegion('README.md', 'tested', readmeTable(readTested()))
}

function readResults(file: string): Result[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Result[]) : []
}

function writeRegion(file: string, name: string, content: string): void {
  const path = join(REPOSITORY, file)
  const text = readFileSync(path, 'utf8')
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`${file} has no place for the results: ${begin}`)
  writeFileSync(path, `${text.slice(0, from + begin.length)}\n${content}\n\n${text.slice(to)}`)
}
