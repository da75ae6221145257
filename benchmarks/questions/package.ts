/** How much does the package bring along? */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Question } from '../bench.js'
import { type Answer, emptyAnswer, missingRow, plainRow } from '../result.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DEPENDENCIES_MAX = 5

interface Manifest {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

export const size: Question = { id: 'package', title: 'The package', about: 'packed size and direct dependencies', ask }

async function ask(): Promise<Answer> {
  const answer = emptyAnswer()
  const row = (question: string, subject = 'mountlock') => ({ question, subject, place: '' })
  const packed = pack()
  answer.rows.push(
    packed === null
      ? missingRow(row('packed size'), '', 'npm pack could not be run')
      : plainRow(row('packed size'), kilobytes(packed.size), '', null),
  )
  if (packed !== null) answer.notes.push(`Before compression: ${composition(packed.files)}.`)
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

const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`

interface Packed {
  size: number
  files: { path: string; size: number }[]
}

/** What the package is made of. */
function composition(files: Packed['files']): string {
  const bytes = new Map<string, number>()
  for (const { path, size } of files) {
    const [kind] = KINDS.find(([, pattern]) => pattern.test(path)) as [string, RegExp]
    bytes.set(kind, (bytes.get(kind) ?? 0) + size)
  }
  return [...bytes]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, size]) => `${kind} ${kilobytes(size)}`)
    .join(', ')
}

const KINDS: [string, RegExp][] = [
  ['programs', /\.js$|^bin\//],
  ['type declarations', /\.d\.ts$/],
  ['JSON schemas', /^docs\/schema\//],
  ['documents', /./],
]

function pack(): Packed | null {
  const { status, stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return status === 0 ? (JSON.parse(stdout) as [Packed])[0] : null
}
