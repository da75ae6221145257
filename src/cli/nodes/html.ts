/** The report as one page that needs nothing from elsewhere: to be attached to a ticket. */

import { escapeText as text, htmlPage } from '../evidence/page.js'
import { mountText } from '../shared/mounts.js'
import { spellIntervals } from '../shared/spelling.js'
import { duration } from '../shared/table.js'
import type { NodesReport } from './report.js'

export function page(report: NodesReport): string {
  const { directory, verdict, fileLocks, settings } = report
  return htmlPage(
    `locktester nodes: ${directory}`,
    `<p>Which locks exclude between these nodes, with ${spellIntervals(settings)}.</p>
<p><strong>${text(verdict).replaceAll('\n', '<br>')}</strong></p>
${fileLocks === null ? '<p>There is nothing to install.</p>' : `<p>Install this as <code>/etc/rstudio/file-locks</code> on every node:</p><pre>${text(fileLocks)}</pre>`}
${matrix(report)}
<h2>Nodes</h2>${nodeTable(report)}
<h2>Evidence</h2>${evidence(report)}`,
  )
}

function matrix({ nodes, kinds }: NodesReport): string {
  const rows = nodes.map(({ name }, index) => {
    const cells = kinds.map(({ rounds }) => {
      const round = rounds[index]
      if (round === undefined) return '<td>-</td>'
      const took = round.takeOver?.tookMs
      return `<td class="${round.mark}">${round.mark}${took == null ? '' : `<br><small>takeover ${duration(took)}</small>`}</td>`
    })
    return `<tr><th>${text(name)}</th>${cells.join('')}</tr>`
  })
  return `<table><tr><th>holder</th>${kinds.map(({ kind }) => `<th>${kind}</th>`).join('')}</tr>${rows.join('')}</table>`
}

function nodeTable({ nodes }: NodesReport): string {
  const rows = nodes.map(({ name, host, directory, user, uid, nodeVersion, container, fileSystem }) => {
    const cells = [name, host, directory, `${user ?? ''} (${uid})`, nodeVersion, container ?? '-', mountText(fileSystem)]
    return `<tr>${cells.map((cell) => `<td>${text(cell)}</td>`).join('')}</tr>`
  })
  const heads = ['node', 'host', 'directory', 'user', 'Node', 'container', 'file system']
  return `<table><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr>${rows.join('')}</table>`
}

function evidence({ kinds }: NodesReport): string {
  return kinds
    .map(({ kind, mark, rounds }) => {
      const sentences = rounds.flatMap((round) =>
        round.evidence.map((sentence) => `<li>${text(round.node)}: ${text(sentence)}</li>`),
      )
      return `<details${mark === 'pass' ? '' : ' open'}><summary>${kind}: ${mark}</summary><ul>${sentences.join('')}</ul></details>`
    })
    .join('')
}
