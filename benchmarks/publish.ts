/** Publishes a run with the project: what has a target in a region of the README, everything with the plots on a page below docs. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { plotFile } from './plots.js'
import { describe, MARKS, type Report, tally, warnings } from './report.js'
import type { Row } from './result.js'

const BEGIN = '<!-- bench results -->'
const END = '<!-- /bench results -->'

export function publish(report: Report, root: string): void {
  const readme = join(root, 'README.md')
  const text = readFileSync(readme, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`${readme} has no region from ${BEGIN} to ${END}`)
  const rows = report.questions.flatMap((question) => question.rows)
  const parts = [
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${describe(report)}. ${tally(rows)}.`,
    ...warnings(report),
    tableOf(rows.filter(({ target, verdict }) => target !== '' || verdict === 'not measured').map(inShort)),
    `[The same run in full](${relative(root, writePage(report, join(root, 'docs', 'benchmarks')))}): the other locks, and plots.`,
  ]
  writeFileSync(readme, `${text.slice(0, begin)}${BEGIN}\n\n${parts.join('\n\n')}\n\n${text.slice(end)}`)
}

function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ verdict, question, subject, place, reached, target, note }) => [
    target === '' ? '' : MARKS[verdict],
    `${question}${place === '' ? '' : `, ${place}`}`,
    subject,
    note === undefined ? reached : `${reached} (${note})`,
    target,
  ])
  const lines = [['', 'what', 'who', 'reached', 'target'], ['-', '-', '-', '-', '-'], ...cells]
  return lines.map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')
}

/** Without what the figures say themselves. */
function inShort({ note, ...row }: Row): Row {
  return { ...row, subject: row.subject.replace(/^mountlock /, ''), ...(row.verdict === 'not measured' && note && { note }) }
}

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
    return [`## ${title}`, `${about}.`, tableOf(rows), ...pictures]
  })
  const page = join(directory, 'README.md')
  writeFileSync(page, `${['# Benchmarks', describe(report), ...warnings(report), ...sections].join('\n\n')}\n`)
  return page
}
