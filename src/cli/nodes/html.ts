/** The report as one page that needs nothing from elsewhere: to be attached to a ticket. */

import { duration } from '../table.js'
import type { NodesReport } from './report.js'

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #d0d7de;padding:.4rem .7rem;text-align:left}
th{background:#f6f8fa}.pass{background:#dafbe1}.unsafe{background:#ffcecb;font-weight:600}.failed{background:#fff8c5}
pre{background:#f6f8fa;padding:1rem}summary{cursor:pointer}small{color:#59636e}`

export function page(report: NodesReport): string {
  const { directory, verdict, fileLocks, settings } = report
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>locktester nodes: ${text(directory)}</title><style>${STYLE}</style></head><body>
<h1>Which locks exclude between these nodes</h1>
<p>Directory <code>${text(directory)}</code>, with refresh-rate=${settings.refreshRateMs / 1000} and timeout-interval=${settings.timeoutIntervalMs / 1000}.</p>
<p><strong>${text(verdict).replaceAll('\n', '<br>')}</strong></p>
${fileLocks === null ? '<p>No kind of lock can be recommended.</p>' : `<p>Install this as <code>/etc/rstudio/file-locks</code> on every node:</p><pre>${text(fileLocks)}</pre>`}
${matrix(report)}
<h2>Nodes</h2>${nodeTable(report)}
<h2>Evidence</h2>${evidence(report)}
</body></html>
`
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
    const mount =
      fileSystem === null
        ? 'unknown'
        : `${fileSystem.type} ${fileSystem.source} on ${fileSystem.mountPoint} (${fileSystem.options.join(',')})`
    const cells = [name, host, directory, `${user ?? ''} (${uid})`, nodeVersion, container ?? '-', mount]
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

function text(raw: string): string {
  return raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
