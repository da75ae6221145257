/** What `locktester nodes` prints: the matrix, the evidence where something is wrong, the verdict, and the file to install. */

import { WHAT_NOW } from '../shared/program.js'
import { settingLines } from '../shared/kinds.js'
import { paint } from '../shared/output.js'
import { duration, type Cell as TableCell, tableLines } from '../shared/table.js'
import {
  type Cell,
  cellOf,
  type Findings,
  type KindResult,
  type Mark,
  markOf,
  nothingToInstall,
  recommend,
  resultOf,
  verdictText,
} from './judgement.js'

const COLOURS = { pass: 'green', unsafe: 'red', failed: 'yellow', unclear: 'yellow' } as const satisfies Record<Mark, string>

/** `mounts`: what is to be said of them. */
export function matrixLines(findings: Findings, mounts: readonly string[]): string[] {
  const { results } = findings
  const nodes = results[0]?.rounds.map(({ node }) => node) ?? []
  const rows = nodes.map((node, index) => [
    { text: node },
    ...results.map(({ kind, rounds }): TableCell => {
      const round = rounds[index]
      if (round === undefined) return { text: '-' }
      const { mark, text } = cellOf(kind, round)
      const took = round.takeOver?.tookMs
      return { text: mark === 'pass' && took != null ? `${text} ${duration(took)}` : text, colour: COLOURS[mark] }
    }),
  ])
  const recommendation = recommend(findings)
  return [
    ...tableLines(['HOLDER', ...results.map(({ kind }) => kind.toUpperCase())], rows),
    'pass: refused to the others, handed over, and taken over after so long when the process that held it was killed',
    '',
    ...mounts,
    ...troubles(results),
    verdictText(findings),
    '',
    ...(recommendation === null
      ? [`# ${nothingToInstall(resultOf(findings), WHAT_NOW)}`]
      : ['# Install this as /etc/rstudio/file-locks on every node:', ...settingLines(recommendation)]),
  ]
}

/** The evidence of what did not pass. */
function troubles(results: readonly KindResult[]): string[] {
  const lines = results
    .filter((result) => markOf(result) !== 'pass')
    .flatMap(({ kind, rounds }) =>
      rounds
        .map((round): Cell => cellOf(kind, round))
        .filter(({ mark }) => mark !== 'pass')
        .flatMap(({ mark, evidence }) =>
          evidence.map((sentence) => `${paint(COLOURS[mark], kind, process.stdout)}: ${sentence}`),
        ),
    )
  return lines.length === 0 ? [] : [...lines, `What to do about it: ${WHAT_NOW}`, '']
}
