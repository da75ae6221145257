/** What `locktester stress` prints, in words that its page has, too. */

import { printable } from '../../log/printable.js'
import { paint } from '../shared/output.js'
import { limitationText } from '../shared/scope.js'
import { type Column, duration, tableOf } from '../shared/table.js'
import type { Outcome } from './outcome.js'

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

export function progressText(
  { acquisitions, kills, stalls, losses }: Record<'acquisitions' | 'kills' | 'stalls' | 'losses', number>,
  elapsedMs: number,
  durationMs: number,
): string {
  return `${Math.floor(elapsedMs / 1000)} s of ${durationMs / 1000}: ${count(acquisitions, 'acquisition')}, ${count(kills, 'kill')}, ${count(stalls, 'stall')}, ${count(losses, 'loss', 'losses')} told`
}

const waitText = (ms: number | null) => (ms === null ? '-' : duration(ms))

export const COLUMNS: readonly Column<Outcome['nodes'][number]>[] = [
  { head: 'NODE', cell: ({ name }) => name },
  { head: 'ACQUISITIONS', cell: ({ acquisitions }) => String(acquisitions) },
  { head: 'WAIT (MEDIAN)', cell: ({ waitMedianMs }) => waitText(waitMedianMs) },
  { head: 'WAIT (MAX)', cell: ({ waitMaxMs }) => waitText(waitMaxMs) },
  { head: 'TAKEOVERS', cell: ({ takeovers }) => String(takeovers) },
  { head: 'LOSSES TOLD', cell: ({ losses }) => String(losses) },
]

const nodeLines = ({ nodes }: Outcome) => tableOf(COLUMNS, nodes)

export function countsLine({ counts, facts }: Outcome): string {
  const { acquisitions, increments, kills, stalls, takeovers, losses, lateRefused } = counts
  const chaos = facts.chaos
    ? `; ${count(kills, 'kill')}, ${count(stalls, 'stall')}, ${count(losses, 'loss', 'losses')} told, ${count(lateRefused, 'late request')} refused by token`
    : ''
  return `${seconds(facts.toMs - facts.fromMs)}: ${count(acquisitions, 'acquisition')}, ${count(increments, 'increment')}, ${count(takeovers, 'takeover')}${chaos}`
}

export function verdictText({ verdict, gap, counts, failures, facts: { limitation } }: Outcome): string {
  if (verdict === 'not-safe')
    return `NOT SAFE: ${count(counts.violations, 'violation')}. Locks of this kind do not exclude here: do not use them.`
  if (verdict === 'nothing-proved') return `${gap}, so nothing is proved.`
  const seen =
    verdict === 'no-kills'
      ? 'No process was killed, though --chaos was to kill some: nothing is proved about what follows a crash. Let it run longer (--duration).'
      : 'No violation: no two processes were sure of the lock at once, and no increment was lost.'
  const limits = limitation === null ? '' : ` ${limitationText(limitation)}`
  return `${seen}${limits}${failures.length > 0 ? ' But not everything went well: see above.' : ''}`
}

export function violationText({ facts }: Outcome, { rule, atMs, text }: Outcome['violations'][number]): string {
  return `${rule} after ${((atMs - facts.fromMs) / 1000).toFixed(3)} s: ${text}`
}

export function failureText({ text, count }: Outcome['failures'][number]): string {
  return `${printable(text)}${count === 1 ? '' : ` (${count} times)`}`
}

export function listed(texts: readonly string[]): string[] {
  const more = texts.length - LISTED_MAX
  return more > 0 ? [...texts.slice(0, LISTED_MAX), `and ${more} more`] : [...texts]
}

export const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`
}
