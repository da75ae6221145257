/** The table that a storm ends with, and the words below it. */

import { refusals, type StormResult } from './storm.js'

const LISTED_MAX = 10

export const COLUMNS = [
  'kind',
  'acquisitions',
  'kills',
  'stalls',
  'clock steps',
  'disk full',
  'losses declared',
  'late requests refused',
  'increments',
  'violations',
] as const

export function row(result: StormResult): string[] {
  const { options, sections, faults, evidence, violations, failures } = result
  const count = (kind: string) => String(faults.filter((fault) => fault.kind === kind).length)
  const written = evidence.hasTokens
    ? evidence.resource.filter(({ accepted, written }) => accepted && written !== null).length
    : evidence.processes.reduce((sum, { events }) => sum + events.filter(({ type }) => type === 'wrote').length, 0)
  return [
    options.kind,
    String(sections.length),
    count('kill'),
    count('stall'),
    count('clock'),
    count('disk-full'),
    String(sections.filter(({ lostMs }) => lostMs !== null).length),
    evidence.hasTokens ? String(refusals(evidence.resource)) : '–',
    String(written),
    String(violations.length + failures.length),
  ]
}

/** All kinds, in columns. */
export function table(results: readonly StormResult[]): string {
  const rows = [[...COLUMNS], ...results.map(row)]
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return rows.map((cells) => cells.map(pad).join('  ')).join('\n')
}

/** What went wrong, and what could not be tried. */
export function remarks({ options, violations, failures, skipped, fromMs }: StormResult): string[] {
  const wrong = [
    ...violations.map(
      ({ rule, lock, atMs, text }) => `${rule}, lock ${lock}, after ${((atMs - fromMs) / 1000).toFixed(3)} s: ${text}`,
    ),
    ...failures.map(({ what, text }) => `${what}: ${text}`),
  ]
  const listed = wrong.slice(0, LISTED_MAX).map((text) => `${options.kind}: ${text}`)
  if (wrong.length > LISTED_MAX) listed.push(`${options.kind}: and ${wrong.length - LISTED_MAX} more`)
  return [...listed, ...skipped.map((text) => `${options.kind}: skipped: ${text}`)]
}
