/** How much does the package bring along? */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Question } from '../bench.js'
import { type Answer, emptyAnswer, missingRow, plainRow } from '../result.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PACKED_BYTES_MAX = 100_000
const DEPENDENCIES_MAX = 5

interface Manifest {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

export const size: Question = { id: 'package', title: 'The package', about: 'packed size and direct dependencies', ask }

async function ask(): Promise<Answer> {
  const answer = emptyAnswer()
  const row = (question: string, subject = 'mountlock') => ({ question, subject, place: '' })
  const sizeTarget = `< ${PACKED_BYTES_MAX / 1000} kB`
  const bytes = packedBytes()
  answer.rows.push(
    bytes === null
      ? missingRow(row('packed size'), sizeTarget, 'npm pack could not be run')
      : plainRow(row('packed size'), `${(bytes / 1000).toFixed(1)} kB`, sizeTarget, bytes < PACKED_BYTES_MAX),
  )
  const own = dependencies(JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')))
  answer.rows.push(
    plainRow(
      row('direct dependencies'),
      `${own.length} (${own.join(', ')})`,
      `≤ ${DEPENDENCIES_MAX}`,
      own.length <= DEPENDENCIES_MAX,
    ),
  )
  const theirs = dependencies(createRequire(import.meta.url)('proper-lockfile/package.json'))
  answer.rows.push(plainRow(row('direct dependencies', 'proper-lockfile'), `${theirs.length} (${theirs.join(', ')})`, '', null))
  return answer
}

const dependencies = ({ dependencies = {}, optionalDependencies = {} }: Manifest) => [
  ...Object.keys(dependencies),
  ...Object.keys(optionalDependencies).map((name) => `${name}, optional`),
]

function packedBytes(): number | null {
  const { status, stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return status === 0 ? (JSON.parse(stdout) as [{ size: number }])[0].size : null
}
