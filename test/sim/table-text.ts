/** The table of the proof in words: dense for docs/tested.md, in full for docs/proof.md. */

import { readFileSync, writeFileSync } from 'node:fs'
import { count, type Explored, NO_VIOLATION, type Results, type Row } from './table.js'

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
const lines = (head: readonly string[], rows: readonly string[][]) =>
  [row(head), row(head.map(() => '-')), ...rows.map(row)].join('\n')
const date = (when: Date) => `Run on ${when.toISOString().slice(0, 10)} with Node.js ${process.version}.`
const extentOf = ({ extent }: Explored) => Object.entries(extent).map(([what, number]) => count(number, what))

/** Of sets without a violation, how many and how large; what was caught has a row for each. Beside `fullTable`'s page. */
export function shortTable({ sets, sample, catches }: Results, when: Date): string {
  const clean = sets.filter(({ end }) => end === NO_VIOLATION)
  const states = (explored: readonly Explored[]) => explored.reduce((sum, { extent }) => sum + (extent.states ?? 0), 0)
  const failed = [...sets, sample].filter(({ end }) => end !== NO_VIOLATION).map(({ name, end }) => `**Not so:** ${name}: ${end}`)
  const found = catches.map(({ system, exhaustive, random, redundantBecause }) => [
    redundantBecause === undefined ? system : `${system} (redundant)`,
    exhaustive ?? '–',
    random ?? '–',
  ])
  return [
    `${date(when)} [What the words mean, and each set with its figures](proof.md#the-run).`,
    ...failed,
    `**No violation** in ${count(clean.length, 'exhaustive sets')}, ${count(states(clean), 'states')} together.`,
    ...(sample.end === NO_VIOLATION ? [`**No violation** at random, ${sample.name}: ${extentOf(sample).join(', ')}.`] : []),
    lines(['broken on purpose', 'exhaustive', 'random'], found),
  ].join('\n\n')
}

/** Everything that was counted. */
export function fullTable({ sets, sample, catches }: Results, when: Date): string {
  const end = ({ name, end, extent }: Explored) => [
    name,
    end,
    ...Object.values(extent).map((number) => number.toLocaleString('en-US')),
  ]
  const exhaustively = ({ exhaustive, set }: Row) => (set === undefined ? (exhaustive ?? '–') : `${exhaustive} (${set})`)
  const why = ({ system, redundantBecause }: Row) =>
    redundantBecause === undefined ? system : `${system} (redundant: ${redundantBecause})`
  return [
    date(when),
    lines(['exhaustive set', 'found', 'states', 'transitions'], sets.map(end)),
    lines(['at random', 'found', 'schedules', 'acquisitions', 'operations'], [end(sample)]),
    lines(
      ['broken on purpose', 'exhaustive (set)', 'random'],
      catches.map((caught) => [why(caught), exhaustively(caught), caught.random ?? '–']),
    ),
  ].join('\n\n')
}

const BEGIN = '<!-- proof table -->'
const END = '<!-- /proof table -->'

/** Replaces the table in a document that has a place for it. */
export function writeTable(path: string, table: string): void {
  const text = readFileSync(path, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`Expected ${path} to contain ${BEGIN} and ${END}`)
  writeFileSync(path, `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`)
}
