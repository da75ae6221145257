/** What the studies amount to: pure, so that the text, the JSON, the page and the exit code cannot contradict each other. */

import { EXIT } from '../shared/exit-codes.js'
import { KINDS, type Kind, type Recommendation, settingsFor } from '../shared/kinds.js'
import type { Round } from './study.js'

export type Mark =
  | 'pass' // excluded everybody else, handed over, was taken over
  | 'unsafe' // two held it at the same time
  | 'failed' // something ended with an error, or was not had in time

export interface Cell {
  node: string
  mark: Mark
  /** Short, for the matrix. */
  text: string
  /** Each a sentence. */
  evidence: string[]
}

export interface KindResult {
  kind: Kind
  rounds: Round[]
}

export function cellOf(kind: Kind, round: Round): Cell {
  const { node, attempts, handOver, takeOver, error } = round
  const evidence = [...attempts.map((attempt) => attemptText(node, attempt)), ...passingTexts(node, round)]
  if (error !== null) evidence.push(`${node}: ${error.message}`)
  const overlap = attempts.find(({ heldByBoth }) => heldByBoth)
  if (overlap !== undefined) return { node, mark: 'unsafe', text: 'UNSAFE', evidence }
  const failed = attempts.find(({ result }) => result !== 'excluded')
  if (failed !== undefined) return { node, mark: 'failed', text: failed.error?.code ?? 'lost', evidence }
  if (error !== null) return { node, mark: 'failed', text: error.code, evidence }
  if (handOver?.tookMs == null) return { node, mark: 'failed', text: 'no hand-over', evidence }
  if (takeOver?.tookMs == null) return { node, mark: 'failed', text: 'no takeover', evidence }
  return { node, mark: 'pass', text: 'pass', evidence: [`${kind}: all as it should be`, ...evidence] }
}

export function markOf({ kind, rounds }: KindResult): Mark {
  const marks = rounds.map((round) => cellOf(kind, round).mark)
  if (marks.includes('unsafe')) return 'unsafe'
  return marks.length > 0 && marks.every((mark) => mark === 'pass') ? 'pass' : 'failed'
}

/** The first kind that passed everywhere; `null` where none did. */
export function recommend(results: readonly KindResult[]): Recommendation | null {
  const passed = results.filter((result) => markOf(result) === 'pass').map(({ kind }) => kind)
  const kind = KINDS.find((each) => passed.includes(each) && settingsFor(each) !== null)
  return kind === undefined ? null : settingsFor(kind)
}

export function exitCodeOf(results: readonly KindResult[]): number {
  if (recommend(results) !== null) return EXIT.ok
  return results.some((result) => markOf(result) === 'unsafe') ? EXIT.notSafe : EXIT.cannotLock
}

export function verdictText(results: readonly KindResult[]): string {
  const named = (mark: Mark) => results.filter((result) => markOf(result) === mark).map(({ kind }) => kind)
  const sentences = [
    [named('pass'), 'exclude between these nodes'],
    [named('unsafe'), 'do NOT exclude: two nodes held the same lock at the same time'],
    [named('failed'), 'cannot be used: see the evidence'],
  ] as const
  return sentences
    .filter(([kinds]) => kinds.length > 0)
    .map(([kinds, what]) => `Locks by ${kinds.join(', ')} ${what}.`)
    .join('\n')
}

function attemptText(
  holder: string,
  { by, result, heldBy, heldBefore, heldAfter, heldByBoth, error }: Round['attempts'][number],
): string {
  if (heldByBoth) return `${holder} held it, said so before and after, and ${by} acquired it in between and held it too`
  if (result === 'acquired') return `${by} acquired it; ${holder} had lost it (held before: ${heldBefore}, after: ${heldAfter})`
  if (result === 'failed') return `${by} could not try: ${error?.message}`
  return `${by} was refused${heldBy === null ? '' : ` (held by ${heldBy})`} while ${holder} held it`
}

function passingTexts(node: string, { handOver, takeOver }: Round): string[] {
  const text = (what: string, { to, tookMs }: NonNullable<Round['handOver']>) =>
    tookMs === null ? `${to} did not get it after ${node} ${what}` : `${to} got it ${Math.round(tookMs)} ms after ${node} ${what}`
  return [
    ...(handOver === null ? [] : [text('released', handOver)]),
    ...(takeOver === null ? [] : [text('was killed', takeOver)]),
  ]
}
