/**
 * `npm run test:nfs -- [--soak] [--publish] [--accel uml|tcg] [what vitest takes]`: the suite on real NFS, alone. `--soak`: with
 * the full figures, and everything that takes too long for the short run; hours. Of some files only, it is a part of such a run:
 * what it shows is added to what the parts before have shown. `--publish`: what was shown, and what it
 * costs, goes into docs/tested.md, and all figures into docs/lab.md. `--accel`: the kind of the lab's machines.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './lab/paths.js'
import { costsOf } from './results-reporter.js'

const rest = process.argv.slice(2)
const isSoak = take('--soak').length > 0
const isPublished = take('--publish').length > 0
const [, accelerator] = take('--accel', 1)

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

/** Takes an option of our own, and so many values, out of what is vitest's. */
function take(option: string, values = 0): string[] {
  const index = rest.indexOf(option)
  return index < 0 ? [] : rest.splice(index, 1 + values)
}

/** Table and costs go into docs/tested.md, one promise a row, and the figures, which are long, into a page of their own. */
function publish(): void {
  const [title = '', ...parts] = readFileSync(join(REPOSITORY, '.vitest/nfs-results.md'), 'utf8').trim().split('\n\n')
  const isList = (part: string) => part.startsWith('- ')
  const figures = parts.filter(isList).join('\n\n')
  const table = [title, ...parts.filter((part) => !isList(part)), '[The figures](lab.md) of the same run.']
  writeRegion('docs/tested.md', 'lab results', table.join('\n\n').replace(SHARED_ROW, onePromiseARow))
  writeRegion('docs/tested.md', 'lab costs', costsOf(figures))
  writeRegion('docs/lab.md', 'lab figures', [title, figures].join('\n\n'))
}

/** Promises that were shown in the same places. */
const SHARED_ROW = /^\| ([^|]*<br>[^|]*) \|(.*)$/gm

function onePromiseARow(_: string, promises: string, cells: string): string {
  return promises
    .split('<br>')
    .map((promise) => `| ${promise} |${cells}`)
    .join('\n')
}

function writeRegion(file: string, name: string, content: string): void {
  const path = join(REPOSITORY, file)
  const text = readFileSync(path, 'utf8')
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`${file} has no place for the results: ${begin}`)
  writeFileSync(path, `${text.slice(0, from + begin.length)}\n${content}\n\n${text.slice(to)}`)
}
