/** The page of `locktester stress`: the verdict first, then what was tried, what that proves and what not, and the course. */

import { dateText, factsMarkup, htmlPage, type Mood, provedMarkup, verdictMarkup, escapeText as text } from '../evidence/page.js'
import { drawCourse } from '../evidence/picture.js'
import { NARROW_WIDTH } from '../evidence/timeline.js'
import { mountText } from '../shared/mounts.js'
import { version } from '../shared/program.js'
import { limitationText } from '../shared/scope.js'
import { spellIntervals } from '../shared/spelling.js'
import type { Cell } from '../shared/table.js'
import { courseOf, type Outcome } from './outcome.js'
import { COLUMNS, count, countsLine, failureText, listed, seconds, verdictText, violationText } from './print.js'

export function page(outcome: Outcome): string {
  const { facts, violations, failures } = outcome
  const remarks = [...listed(violations.map((each) => violationText(outcome, each))), ...listed(failures.map(failureText))]
  const { mood, headline } = moodOf(outcome)
  const title = `${facts.kind} lock, ${seconds(facts.toMs - facts.fromMs)}`
  const draw = (width?: number) => drawCourse(courseOf(outcome), title, width)
  return htmlPage(
    `locktester stress: ${facts.nodes[0]?.directory ?? ''}`,
    `${verdictMarkup(mood, headline, verdictText(outcome))}
${remarks.length === 0 ? '' : `<h2>What went wrong</h2><ul>${remarks.map((remark) => `<li>${text(remark)}</li>`).join('')}</ul>`}
${provedMarkup(provedBy(outcome))}
<h2>What was tried</h2>${factsMarkup(factsOf(outcome))}
<h2>What happened</h2><p>${text(countsLine(outcome))}</p>${nodeTable(outcome)}
<section class="drawings"><h2>The holders of the lock</h2>
<p>The first row is the lock: two bars over each other would be two holders at once. Below it, each process has a row. Hatched is the time in which a process is stalled, or a holder dead and its lock not taken over yet.</p>
${draw()
  .map((picture) => `<div class="wide">${picture}</div>`)
  .join('\n')}
${draw(NARROW_WIDTH)
  .map((picture) => `<div class="narrow">${picture}</div>`)
  .join('\n')}</section>`,
  )
}

const UNSURE: Record<Exclude<Outcome['verdict'], 'not-safe' | 'no-violation'>, string> = {
  'one-machine': 'No violation, on one machine only',
  'local-disk': 'No violation, on a local disk only',
  'no-kills': 'No violation, but no process was killed',
  'nothing-proved': 'Nothing was proved',
}

function moodOf({ verdict, failures }: Outcome): { mood: Mood; headline: string } {
  if (verdict === 'not-safe') return { mood: 'bad', headline: 'NOT SAFE' }
  if (verdict !== 'no-violation') return { mood: 'unsure', headline: UNSURE[verdict] }
  return failures.length > 0
    ? { mood: 'unsure', headline: 'No violation, but something went wrong' }
    : { mood: 'good', headline: 'No violation' }
}

function provedBy({ verdict, gap, counts, facts }: Outcome): { proved: string[]; notProved: string[] } {
  const { nodes, processesPerNode, chaos, kind, limitation, fromMs, toMs } = facts
  const where = limitation === null ? `on ${count(nodes.length, 'node')}` : 'on this machine'
  const proved = [
    `Of ${count(nodes.length * processesPerNode, 'process', 'processes')} ${where}, never two were sure of the lock at once, in ${count(counts.acquisitions, 'acquisition')}.`,
    `No increment of the counter that the lock protects was lost, of ${counts.increments.toLocaleString('en')}.`,
    ...(counts.kills > 0
      ? [`That stayed so through ${count(counts.kills, 'kill')} and ${count(counts.stalls, 'stall')} of processes.`]
      : []),
    ...(counts.takeovers > 0
      ? [
          `The lock of a dead or stalled holder was taken over ${counts.takeovers === 1 ? 'once' : count(counts.takeovers, 'time')}.`,
        ]
      : []),
  ]
  const violated = `Locks by ${kind} cannot be trusted here: ${count(counts.violations, 'violation')}, see above.`
  return {
    proved: verdict === 'nothing-proved' ? [] : verdict === 'not-safe' ? [violated] : proved,
    notProved: [
      ...(gap === null ? [] : [`${gap}.`]),
      ...(limitation === null ? [] : [limitationText(limitation)]),
      ...(chaos && counts.kills > 0 ? [] : ['What follows a crash: no process was killed.']),
      `Crashes of whole nodes, of the network and of the file server${chaos ? ': only processes were killed and stalled' : ''}.`,
      `Other kinds of lock than ${kind}, other nodes and mounts, and what takes longer than ${seconds(toMs - fromMs)}.`,
    ],
  }
}

function factsOf({ facts }: Outcome): (readonly [string, string])[] {
  const { kind, settings, processesPerNode, nodes, chaos, fromMs, toMs } = facts
  return [
    ['date', dateText()],
    ['duration', seconds(toMs - fromMs)],
    ['version', `locktester ${version()}`],
    ['kind of lock', kind],
    ['settings', spellIntervals(settings)],
    ['processes', `${processesPerNode} on each node${chaos ? ', killed and stalled on purpose' : ''}`],
    ...nodes.map(({ name, directory, facts: { host, nodeVersion }, mount, clockSlackMs }) => {
      const lines = [
        `${host}, Node ${nodeVersion}`,
        `${directory}, ${mountText(mount)}`,
        ...(clockSlackMs === 0 ? [] : [`its clock is known to ±${clockSlackMs.toFixed(1)} ms`]),
      ]
      return [name, lines.join('\n')] as const
    }),
  ]
}

function nodeTable({ nodes }: Outcome): string {
  const textOf = (cell: Cell | string) => (typeof cell === 'string' ? cell : cell.text)
  const heads = COLUMNS.map(({ head }) => `<th>${head.toLowerCase()}</th>`)
  const rows = nodes.map((node) => `<tr>${COLUMNS.map(({ cell }) => `<td>${text(textOf(cell(node)))}</td>`).join('')}</tr>`)
  return `<div class="wide"><table><tr>${heads.join('')}</tr>${rows.join('')}</table></div>`
}
