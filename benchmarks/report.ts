/** What is made of the answers: the table for the terminal, the JSON file, and the report to look at. */

import { readFileSync } from 'node:fs'
import type { Machine } from './machine.js'
import { harmless, plotStyle, plotSvg } from './plots.js'
import { type Answer, type Measurement, type Row, type Verdict, withUnit } from './result.js'
import { median, quantile } from './statistics.js'

export interface Answered extends Answer {
  id: string
  title: string
  about: string
  /** How long it took to answer. */
  seconds: number
}

export interface Report {
  machine: Machine
  quick: boolean
  seconds: number
  /** Where most was measured. */
  fileSystem: string
  questions: Answered[]
}

/** For programs: all samples, and what was concluded from them. The plots can be made from it again. */
export function toJson({ questions, ...report }: Report): string {
  return `${JSON.stringify({ version: 1, ...report, questions: questions.map(({ plots: _, ...question }) => question) })}\n`
}

export const MARKS: Record<Verdict, string> = { met: '✔', 'not met': '✘', 'no target': '·', 'not measured': '?' }

export function toTable(report: Report): string {
  const parts = report.questions.map(({ title, seconds, rows, measurements, notes }) => {
    const lines = [...aligned(rows.map(tableRow)), ...aligned(summaries(measurements).map(summaryRow))]
    return [`\n${title} (${seconds} s)`, ...lines.map((line) => `  ${line}`), ...notes.map((note) => `  (${note})`)].join('\n')
  })
  return [describe(report), ...warnings(report), ...parts, '', tally(report.questions.flatMap(({ rows }) => rows))].join('\n')
}

const tableRow = ({ verdict, question, subject, place, reached, target, note }: Row) => [
  `${MARKS[verdict]} ${verdict}`,
  question,
  subject,
  place,
  reached,
  target === '' ? '' : `[${target}]`,
  note === undefined ? '' : `(${note})`,
]

/** Only what has a distribution: the rest is in the rows. */
export function summaries(measurements: readonly Measurement[]): Measurement[] {
  return measurements.filter(({ unit, rounds }) => (unit === 'µs' || unit === 'ms') && rounds.flat().length > 3)
}

const summaryRow = ({ of, label, place, unit, rounds }: Measurement) => {
  const samples = rounds.flat()
  const [low, high] = [quantile(samples, 0.05), quantile(samples, 0.95)]
  return [
    '',
    of,
    label,
    place,
    withUnit(median(samples), unit),
    `${withUnit(low, unit)} – ${withUnit(high, unit)}`,
    `${samples.length} samples`,
  ]
}

function aligned(rows: readonly string[][]): string[] {
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)), [])
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

export function tally(rows: readonly Row[]): string {
  const count = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict).length
  return `${count('met')} targets met, ${count('not met')} not met, ${count('not measured')} not measured`
}

export function describe({ machine, seconds, fileSystem }: Report): string {
  const { processor, processors, memoryGiB, system, kernel, node } = machine
  return `${processor}, ${processors} processors, ${memoryGiB} GiB; ${system}, Linux ${kernel}; Node ${node}; ${fileSystem}; ${seconds} s`
}

/** What makes the figures worth less. */
export function warnings({ machine: { loadBefore, processors }, quick }: Report): string[] {
  const found: string[] = []
  if (quick) found.push('--quick: this shows that the harness works. The figures mean nothing.')
  if (loadBefore > processors / 4) {
    found.push(`The machine was busy (load ${loadBefore} at the start): ratios hold roughly, single times do not.`)
  }
  return found
}

/** One file that needs nothing else: no script, no font, no picture from elsewhere. */
export function toHtml(report: Report): string {
  const style = `${plotStyle()}\n${readFileSync(new URL('./report.css', import.meta.url), 'utf8')}`
  const sections = report.questions.map(sectionHtml).join('\n')
  const rows = report.questions.flatMap((question) => question.rows)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mountlock: benchmark</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>How fast are the locks?</h1>
<p class="machine">${harmless(describe(report))}</p>
${warnings(report)
  .map((warning) => `<p class="warning">${harmless(warning)}</p>`)
  .join('\n')}
<p class="tally">${harmless(tally(rows))}</p>
<p class="legend"><span class="key ours"></span>mountlock <span class="key peer"></span>other locks <span class="key floor"></span>bare system calls</p>
<nav>${report.questions.map(({ id, title, rows }) => `<a href="#${id}">${navMark(rows)} ${harmless(title)}</a>`).join('')}</nav>
</header>
${sections}
</body>
</html>
`
}

function navMark(rows: readonly Row[]): string {
  const verdict: Verdict = rows.some((row) => row.verdict === 'not met')
    ? 'not met'
    : rows.some((row) => row.verdict === 'met')
      ? 'met'
      : 'no target'
  return `<span class="mark ${className(verdict)}">${MARKS[verdict]}</span>`
}

const className = (verdict: Verdict) => verdict.replace(' ', '-')

function sectionHtml({ id, title, about, rows, measurements, plots, notes }: Answered): string {
  const judged = rows.filter(({ target }) => target !== '')
  const others = rows.filter(({ target }) => target === '')
  return `<section id="${id}">
<h2>${harmless(title)}</h2>
<p class="about">${harmless(about)}.</p>
<div class="plots">${plots.map(plotHtml).join('\n')}</div>
${judged.length > 0 ? rowsHtml(judged) : ''}
${others.length > 0 ? `<details${judged.length === 0 || plots.length === 0 ? ' open' : ''}><summary>For comparison</summary>${rowsHtml(others)}</details>` : ''}
${summaries(measurements).length > 0 ? `<details><summary>All figures</summary>${figuresHtml(measurements)}</details>` : ''}
${notes.map((note) => `<p class="note">${harmless(note)}</p>`).join('\n')}
</section>`
}

const plotHtml = (plot: Answer['plots'][number]) =>
  `<figure><figcaption>${harmless(plot.title)}</figcaption>${plotSvg(plot)}</figure>`

function rowsHtml(rows: readonly Row[]): string {
  const line = ({ verdict, question, subject, place, reached, target, note }: Row) => `<tr>
<td><span class="mark ${className(verdict)}">${MARKS[verdict]}</span></td><td>${harmless(question)}${place === '' ? '' : ` <small>${harmless(place)}</small>`}</td><td>${harmless(subject)}</td>
<td class="reached">${harmless(reached)}${note === undefined ? '' : `<br><small>${harmless(note)}</small>`}</td><td class="target">${harmless(target)}</td></tr>`
  return `<div class="wide"><table><thead><tr><th></th><th>what</th><th>candidate</th><th>reached</th><th>target</th></tr></thead>
<tbody>${rows.map(line).join('')}</tbody></table></div>`
}

function figuresHtml(measurements: readonly Measurement[]): string {
  const cells = summaries(measurements).map((measurement) => summaryRow(measurement).slice(1))
  const head = ['what', 'candidate', 'where', 'median', '5 – 95 %', ''].map((title) => `<th>${title}</th>`).join('')
  const body = cells.map((row) => `<tr>${row.map((cell) => `<td>${harmless(cell)}</td>`).join('')}</tr>`).join('')
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
}
