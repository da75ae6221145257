/** The report as one page that needs nothing from elsewhere: to be attached to a ticket. */

import { dateText, factsMarkup, htmlPage, type Mood, provedMarkup, verdictMarkup, escapeText as text } from '../evidence/page.js'
import { mountText } from '../shared/mounts.js'
import { version } from '../shared/program.js'
import { spellIntervals } from '../shared/spelling.js'
import { duration } from '../shared/table.js'
import { nothingToInstall } from './judgement.js'
import type { NodesReport } from './report.js'

export function page(report: NodesReport): string {
  const { directory, verdict, fileLocks } = report
  const { mood, headline } = moodOf(report)
  return htmlPage(
    `locktester nodes: ${directory}`,
    `${verdictMarkup(mood, headline, verdict)}
${fileLocks === null ? `<p>${text(nothingToInstall(report.result, 'docs/file-systems.md of mountlock'))}</p>` : `<p>Install this as <code>/etc/rstudio/file-locks</code> on every node:</p><pre>${text(fileLocks)}</pre>`}
<div class="wide">${matrix(report)}</div>
${provedMarkup(provedBy(report))}
<h2>What was tried</h2>${factsMarkup(factsOf(report))}
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

function moodOf({ result, kinds }: NodesReport): { mood: Mood; headline: string } {
  const isAnyUnsafe = kinds.some(({ mark }) => mark === 'unsafe')
  switch (result) {
    case 'excludes':
      return isAnyUnsafe
        ? { mood: 'unsure', headline: 'Some kinds of lock exclude, others do not' }
        : { mood: 'good', headline: 'Locks exclude between these nodes' }
    case 'unsafe':
      return { mood: 'bad', headline: 'NOT SAFE' }
    case 'failed':
      return { mood: 'bad', headline: 'No kind of lock can be used' }
    case 'unclear':
      return { mood: 'unsure', headline: 'No verdict: a node was too slow, or went away' }
    default:
      return { mood: 'unsure', headline: 'Nothing is proved about other nodes' }
  }
}

function provedBy({ kinds, nodes, result }: NodesReport): { proved: string[]; notProved: string[] } {
  const named = (wanted: string) => kinds.filter(({ mark }) => mark === wanted).map(({ kind }) => kind)
  const passed = named('pass')
  const whose = result === 'excludes' ? 'node' : 'process'
  const others = kinds.filter(({ mark }) => mark === 'failed' || mark === 'unclear')
  return {
    proved: [
      ...(passed.length === 0
        ? []
        : [
            `Locks by ${passed.join(', ')}: while one ${whose} held the lock, each other one was refused.`,
            `Each was handed over after a release, and taken over after the process that held it was killed.`,
          ]),
      ...named('unsafe').map((kind) => `Locks by ${kind} do not exclude: two held the same lock at once.`),
    ],
    notProved: [
      ...others.map(({ kind, mark }) => `Locks by ${kind}: ${mark}.`),
      ...(result === 'one-machine' || result === 'local-disk' ? ['Anything about nodes on other machines.'] : []),
      `Other nodes than these ${nodes.length}, and other directories.`,
      'What happens under load: locktester stress tries that.',
      'Crashes of whole nodes, of the network and of the file server: only processes were killed.',
    ],
  }
}

function factsOf({ nodes, settings }: NodesReport): (readonly [string, string])[] {
  return [
    ['date', dateText()],
    ['version', `locktester ${version()}`],
    ['settings', spellIntervals(settings)],
    ...nodes.map(({ name, host, directory, user, uid, nodeVersion, container, fileSystem }) => {
      const place = `${host}${container === null ? '' : `, container ${container}`}, Node ${nodeVersion}, ${user ?? ''} (${uid})`
      return [name, `${place}\n${directory}, ${mountText(fileSystem)}`] as const
    }),
  ]
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
