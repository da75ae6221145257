/** What questions are answered with. The table, the JSON file and the report are all made from these. */

import type { Timeline } from '../src/cli/evidence/timeline.js'
import type { Candidate, Role } from './candidate.js'
import type { Ratio } from './statistics.js'

/** About the target of a row: whether the median reached it. */
export type Verdict = 'met' | 'not met' | 'no target' | 'not measured'

/** One line of the table. */
export interface Row {
  /** What was measured, of which candidate, where. */
  question: string
  subject: string
  place: string
  reached: string
  target: string
  verdict: Verdict
  /** Where the figure is a ratio: for readers of the JSON file. */
  ratio?: Ratio
  note?: string
}

/** The raw samples of one candidate, round by round. */
export interface Measurement {
  candidate: string
  label: string
  role: Role
  place: string
  /** What of the candidate: `acquire + release, blocking`. */
  of: string
  unit: 'µs' | 'ms' | 'calls' | 'bytes' | 'acquisitions' | '%'
  rounds: number[][]
}

export interface Point {
  x: number
  y: number
}

export interface Curve {
  label: string
  role: Role
  points: Point[]
}

export type Plot =
  | { kind: 'distribution'; title: string; measurements: Measurement[] }
  | { kind: 'shares'; title: string; measurements: Measurement[] }
  /** Which process held the lock when, drawn by the renderer of `locktester stress`. */
  | { kind: 'timeline'; title: string; timeline: Timeline }
  | { kind: 'curve'; title: string; xLabel: string; yLabel: string; curves: Curve[] }

export interface Answer {
  rows: Row[]
  measurements: Measurement[]
  plots: Plot[]
  /** How it was measured, and which candidate could not take part, and why. */
  notes: string[]
}

export const emptyAnswer = (): Answer => ({ rows: [], measurements: [], plots: [], notes: [] })

/** What was measured of a candidate, and in which unit. */
export const measurementOf = (
  { id, label, role }: Pick<Candidate, 'id' | 'label' | 'role'>,
  place: string,
  of: string,
  unit: Measurement['unit'],
  rounds: number[][],
): Measurement => ({ candidate: id, label, role, place, of, unit, rounds })

/** A row whose figure is a ratio, judged by its median. */
export function ratioRow(
  row: Pick<Row, 'question' | 'subject' | 'place'>,
  ratio: Ratio,
  { words, target, reached }: { words: string; target: string; reached: (ratio: number) => boolean },
): Row {
  const close = reached(ratio.low) !== reached(ratio.high)
  return {
    ...row,
    reached: `${formatRatio(ratio)} ${words}`,
    target,
    verdict: reached(ratio.median) ? 'met' : 'not met',
    ratio,
    ...(close && { note: 'the target lies within the spread' }),
  }
}

/** A row whose figure has no other one to be compared with. */
export function plainRow(
  row: Pick<Row, 'question' | 'subject' | 'place'>,
  reached: string,
  target: string,
  isMet: boolean | null,
): Row {
  return { ...row, reached, target, verdict: isMet === null ? 'no target' : isMet ? 'met' : 'not met' }
}

export function missingRow(row: Pick<Row, 'question' | 'subject' | 'place'>, target: string, why: string): Row {
  return { ...row, reached: '—', target, verdict: 'not measured', note: why }
}

export const formatRatio = ({ median, low, high }: Ratio) => `${figure(median)} × (${figure(low)} – ${figure(high)})`

/** Microseconds become milliseconds where there are thousands of them. */
export function withUnit(value: number, unit: Measurement['unit']): string {
  if (unit === 'µs' && value >= 1000) return `${shortest(value / 1000)} ms`
  if (unit === 'ms' && value >= 1000) return `${shortest(value / 1000)} s`
  if (unit === 'ms' && value < 1) return `${shortest(value * 1000)} µs`
  return `${shortest(value)} ${unit}`
}

/** Whole numbers, as on an axis, without decimals. */
const shortest = (value: number) =>
  Number.isInteger(Number(value.toPrecision(6))) ? String(Number(value.toPrecision(6))) : figure(value)

/** Three digits that count. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '—'
  const size = Math.abs(value)
  if (size >= 100) return String(Math.round(value))
  return value.toFixed(size >= 10 ? 1 : 2)
}
