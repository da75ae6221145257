/** Publishes a run with the project: what has a target in a region of docs/performance.md (or of the README), everything with the plots on a page below docs. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { plotFile } from './plots.js'
import { describe, MARKS, type Report, tally, warnings } from './report.js'
import { figure, type Row } from './result.js'

const BEGIN = '<!-- bench results -->'
const END = '<!-- /bench results -->'
/** The first of them that has a place for the results gets them. */
const PAGES = ['docs/performance.md', 'README.md']

const hasRegion = (file: string) => existsSync(file) && readFileSync(file, 'utf8').includes(BEGIN)

export function publish(report: Report, root: string): void {
  const file = PAGES.map((page) => join(root, page)).find(hasRegion)
  if (file === undefined) throw new Error(`None of ${PAGES.join(', ')} has a region from ${BEGIN} to ${END}`)
  const text = readFileSync(file, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  const rows = report.questions.flatMap((question) => question.rows)
  const parts = [
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${describe(report)}. ${tally(rows)}.`,
    ...warnings(report),
    ...tablesInShort(report),
    `[The same run in full](${relative(dirname(file), writePage(report, join(root, 'docs', 'benchmarks')))}): spreads, other locks, and plots.`,
  ]
  writeFileSync(file, `${text.slice(0, begin)}${BEGIN}\n\n${parts.join('\n\n')}\n\n${text.slice(end)}`)
}

function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ verdict, question, subject, place, reached, target, note }) => [
    target === '' ? '' : MARKS[verdict],
    whatOf(question, place),
    subject,
    note === undefined ? reached : `${reached} (${note})`,
    target,
  ])
  return markdown(['', 'what', 'candidate', 'reached', 'target'], cells)
}

function markdown(head: readonly string[], rows: readonly string[][]): string {
  const lines = [head, head.map(() => '-'), ...rows]
  return lines.map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')
}

const whatOf = (...parts: string[]) => parts.filter((part) => part !== '').join(', ')

const LOCK_TYPES = ['linkbased', 'renamebased', 'advisory']
/** Not a lock type of its own, and chosen where nothing else works. */
const ONLY_ON_THE_PAGE = 'symlinks'
/** docs/tested.md shows the lab's own figures for these, in a region that the lab writes. */
const LEFT_TO_THE_LAB = 'nodes'

/** What has a target: the lock types side by side, one row for what was asked of them; the rest below. */
function tablesInShort({ questions, fileSystem }: Report): string[] {
  const rows = questions
    .filter(({ id }) => id !== LEFT_TO_THE_LAB)
    .flatMap((question) => question.rows)
    .filter(({ target, verdict }) => target !== '' || verdict === 'not measured')
    .map((row) => ({ ...row, subject: row.subject.replace(/^mountlock /, ''), place: row.place === fileSystem ? '' : row.place }))
    .filter(({ subject }) => subject !== ONLY_ON_THE_PAGE)
  const compared = new Map<string, string[]>()
  for (const row of rows) {
    const column = LOCK_TYPES.indexOf(row.subject)
    if (column === -1) continue
    const what = whatOf(row.question, row.place)
    const key = JSON.stringify([what, row.target])
    const line = compared.get(key) ?? [what, ...LOCK_TYPES.map(() => ''), row.target]
    line[1 + column] = inShort(row)
    compared.set(key, line)
  }
  const others = rows
    .filter(({ subject }) => !LOCK_TYPES.includes(subject))
    .map((row) => [whatOf(row.question, row.subject, row.place), inShort(row), row.target])
  return [markdown(['', ...LOCK_TYPES, 'target'], [...compared.values()]), markdown(['', 'reached', 'target'], others)]
}

/** Of what a ratio is one, the target says; its spread, details, and how often it was measured, the page. */
function inShort({ verdict, target, reached, ratio, note }: Row): string {
  const words = ratio === undefined ? reached.replace(/( \([^()]*\))?(, \d+ times)?$/, '') : `${figure(ratio.median)} ×`
  const marked = target === '' ? words : `${MARKS[verdict]} ${words}`
  return verdict === 'not measured' && note !== undefined ? `${marked} (${note})` : marked
}

const LEGEND = '✔: the target is met. ✘: it is not. A figure is a median; in parentheses is the spread of what was measured.'

/** Each question with all its rows and its pictures. */
function writePage(report: Report, directory: string): string {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const sections = report.questions.flatMap(({ id, title, about, rows, plots }) => {
    const pictures = plots.map((plot, index) => {
      const name = `${id}-${index + 1}.svg`
      writeFileSync(join(directory, name), plotFile(plot))
      return `**${plot.title}**\n\n![${plot.title}](${name})`
    })
    return [`## ${title}`, `${about.charAt(0).toUpperCase()}${about.slice(1)}.`, tableOf(rows), ...pictures]
  })
  const page = join(directory, 'README.md')
  const intro = ['# Benchmarks', describe(report), ...warnings(report), LEGEND]
  writeFileSync(page, `${[...intro, ...sections].join('\n\n')}\n`)
  return page
}
