/** What `locktester stress` prints, and its page. */

import { printable } from '../../log/printable.js'
import { drawCourse } from '../evidence/picture.js'
import { timelinePage } from '../evidence/timeline.js'
import { mountText } from '../shared/mounts.js'
import { paint } from '../shared/output.js'
import { limitationText } from '../shared/scope.js'
import { spellIntervals } from '../shared/spelling.js'
import { type Column, duration, tableOf } from '../shared/table.js'
import { courseOf, type Outcome } from './outcome.js'

const LISTED_MAX = 10

export function outcomeLines(outcome: Outcome): string[] {
  const { exitCode, verdict, violations } = outcome
  const colour = violations.length > 0 ? 'red' : exitCode === 0 && verdict === 'no-violation' ? 'green' : 'yellow'
  return [
    ...nodeLines(outcome),
    '',
    countsLine(outcome),
    ...listed(violations.map((violation) => violationText(outcome, violation))),
    ...listed(outcome.failures.map(failureText)),
    '',
    paint(colour, verdictText(outcome), process.stdout),
  ]
}

export function page(outcome: Outcome): string {
  const { facts, violations, failures } = outcome
  const title = 'locktester stress: who held the lock, when'
  const remarks = [...listed(violations.map((each) => violationText(outcome, each))), ...listed(failures.map(failureText))]
  const said = [
    verdictText(outcome),
    '',
    countsLine(outcome),
    ...remarks,
    '',
    ...nodeLines(outcome, false),
    '',
    setUpText(outcome),
  ]
  return timelinePage(title, [
    { heading: violations.length > 0 ? 'NOT SAFE' : 'What happened', text: said.join('\n') },
    {
      heading: 'Who held the lock',
      text: 'The first row is the lock: two bars over each other would be two holders at once. Then a row for each process.',
      body: drawCourse(courseOf(outcome), `${facts.kind} lock, ${seconds(facts.toMs - facts.fromMs)}`).join('\n'),
    },
  ])
}

export function progressText(
  { acquisitions, kills, stalls, losses }: Record<'acquisitions' | 'kills' | 'stalls' | 'losses', number>,
  elapsedMs: number,
  durationMs: number,
): string {
  return `${Math.floor(elapsedMs / 1000)} s of ${durationMs / 1000}: ${count(acquisitions, 'acquisition')}, ${count(kills, 'kill')}, ${count(stalls, 'stall')}, ${count(losses, 'loss', 'losses')} told`
}

const waitText = (ms: number | null) => (ms === null ? '-' : duration(ms))

const COLUMNS: readonly Column<Outcome['nodes'][number]>[] = [
  { head: 'NODE', cell: ({ name }) => name },
  { head: 'ACQUISITIONS', cell: ({ acquisitions }) => String(acquisitions) },
  { head: 'WAIT (MEDIAN)', cell: ({ waitMedianMs }) => waitText(waitMedianMs) },
  { head: 'WAIT (MAX)', cell: ({ waitMaxMs }) => waitText(waitMaxMs) },
  { head: 'TAKEOVERS', cell: ({ takeovers }) => String(takeovers) },
  { head: 'LOSSES TOLD', cell: ({ losses }) => String(losses) },
]

const nodeLines = ({ nodes }: Outcome, isColoured = true) => tableOf(COLUMNS, nodes, { isColoured })

function countsLine({ counts, facts }: Outcome): string {
  const { acquisitions, increments, kills, stalls, takeovers, losses, lateRefused } = counts
  const chaos = facts.chaos
    ? `; ${count(kills, 'kill')}, ${count(stalls, 'stall')}, ${count(losses, 'loss', 'losses')} told, ${count(lateRefused, 'late request')} refused by token`
    : ''
  return `${seconds(facts.toMs - facts.fromMs)}: ${count(acquisitions, 'acquisition')}, ${count(increments, 'increment')}, ${count(takeovers, 'takeover')}${chaos}`
}

function verdictText({ verdict, gap, counts, failures, facts: { limitation } }: Outcome): string {
  if (verdict === 'not-safe')
    return `NOT SAFE: ${count(counts.violations, 'violation')}. Locks of this kind do not exclude here: do not use them.`
  if (verdict === 'nothing-proved') return `${gap}, so nothing is proved.`
  const seen =
    verdict === 'no-kills'
      ? 'No process was killed, though --chaos was to kill some: nothing is proved about what follows a crash. Let it run longer (--duration).'
      : 'No violation: nobody was sure of the lock while another one was, and no increment was lost.'
  const limits = limitation === null ? '' : ` ${limitationText(limitation)}`
  return `${seen}${limits}${failures.length > 0 ? ' But not everything went well: see above.' : ''}`
}

function violationText({ facts }: Outcome, { rule, atMs, text }: Outcome['violations'][number]): string {
  return `${rule} after ${((atMs - facts.fromMs) / 1000).toFixed(3)} s: ${text}`
}

function failureText({ text, count }: Outcome['failures'][number]): string {
  return `${printable(text)}${count === 1 ? '' : ` (${count} times)`}`
}

function listed(texts: readonly string[]): string[] {
  const more = texts.length - LISTED_MAX
  return more > 0 ? [...texts.slice(0, LISTED_MAX), `and ${more} more`] : [...texts]
}

/** So that the page says by itself what was tried. */
function setUpText({ facts }: Outcome): string {
  const { kind, settings, processesPerNode, nodes, chaos } = facts
  const lines = nodes.map(({ name, directory, facts: { host, nodeVersion }, mount, clockSlackMs }) => {
    return `${name}: ${host}, Node ${nodeVersion}, ${directory}, ${mountText(mount)}; its clock is known to ±${clockSlackMs.toFixed(1)} ms`
  })
  const what = `${processesPerNode} processes on each node, ${kind}, ${spellIntervals(settings)}${chaos ? ', killed and stalled on purpose' : ''}`
  return [what, ...lines].join('\n')
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`
}
