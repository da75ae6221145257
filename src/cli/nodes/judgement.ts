/** What the studies amount to: pure, so that the text, the JSON, the page and the exit code cannot contradict each other. */

import { EXIT } from '../shared/exit-codes.js'
import { type Limitation, limitationText } from '../shared/scope.js'
import { CELL_TEXTS, type Result } from '../shared/verdicts.js'
import { KINDS, type Kind, type Recommendation, refusesFlock, settingsFor } from '../shared/kinds.js'
import { type Round, triesOf } from './study.js'

export type Mark =
  | 'pass' // excluded every other node, handed over, was taken over
  | 'unsafe' // two held it at the same time
  | 'failed' // something ended with an error, or was not had in time though all answered
  | 'unclear' // a node was too slow to tell, or went away

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
  const { node, neighbour, attempts, handOver, takeOver, error, doubt } = round
  const tries = triesOf(round)
  const evidence = [
    ...attempts.map((attempt) => attemptText(node, attempt.by, attempt)),
    ...(neighbour === null ? [] : [attemptText(node, `another process on ${node}`, neighbour)]),
    ...passingTexts(node, round),
  ]
  if (error !== null || doubt !== null) evidence.push(`${node}: ${(doubt ?? error)?.message}`)
  const overlap = tries.find(({ heldByBoth }) => heldByBoth)
  if (overlap !== undefined) return { node, mark: 'unsafe', text: CELL_TEXTS.unsafe, evidence }
  if (doubt !== null) return { node, mark: 'unclear', text: doubt.code === 'GONE' ? CELL_TEXTS.gone : CELL_TEXTS.slow, evidence }
  const failed = tries.find(({ result }) => result !== 'excluded')
  if (failed !== undefined) return { node, mark: 'failed', text: failed.error?.code ?? CELL_TEXTS.lost, evidence }
  if (error !== null) return { node, mark: 'failed', text: error.code, evidence }
  if (handOver?.tookMs == null) return { node, mark: 'failed', text: CELL_TEXTS.notHandedOver, evidence }
  if (takeOver?.tookMs == null) return { node, mark: 'failed', text: CELL_TEXTS.notTakenOver, evidence }
  return { node, mark: 'pass', text: 'pass', evidence: [`${kind}: all as it should be`, ...evidence] }
}

export function markOf({ kind, rounds }: KindResult): Mark {
  const marks = rounds.map((round) => cellOf(kind, round).mark)
  if (marks.includes('unsafe')) return 'unsafe'
  if (marks.includes('failed') || marks.length === 0) return 'failed'
  return marks.includes('unclear') ? 'unclear' : 'pass'
}

const kindsOf = (results: readonly KindResult[], mark: Mark) =>
  results.filter((result) => markOf(result) === mark).map(({ kind }) => kind)

const isFlockRefused = (results: readonly KindResult[]): boolean =>
  results.some(({ kind, rounds }) => rounds.some(({ error }) => refusesFlock(kind, error)))

/** Why there is no file to install. `guide`: where it says what to do about the mount. */
export const nothingToInstall = (result: Result, guide: string): string =>
  result === 'one-machine' || result === 'local-disk'
    ? 'Nothing to install: name nodes on other machines, and a directory that all of them see.'
    : `No kind of lock can be recommended between these nodes. What now: ${guide}`

/** For programs, in one word. */
export function resultOf({ results, limitation }: Findings): Result {
  if (kindsOf(results, 'pass').length > 0) return limitation ?? 'excludes'
  return (['unsafe', 'failed'] as const).find((mark) => kindsOf(results, mark).length > 0) ?? 'unclear'
}

/** What came of the studies, and what they cannot prove wherever they came to. */
export interface Findings {
  results: readonly KindResult[]
  limitation: Limitation
}

/** The first kind that passed everywhere; `null` where none did, or where that proves nothing about other nodes. */
export function recommend({ results, limitation }: Findings): Recommendation | null {
  const passed = limitation === null ? kindsOf(results, 'pass') : []
  const isRefused = isFlockRefused(results)
  const kind = KINDS.find((each) => passed.includes(each) && settingsFor(each, isRefused) !== null)
  return kind === undefined ? null : settingsFor(kind, isRefused)
}

export function exitCodeOf(results: readonly KindResult[]): number {
  const isRefused = isFlockRefused(results)
  if (kindsOf(results, 'pass').some((kind) => settingsFor(kind, isRefused) !== null)) return EXIT.ok
  return kindsOf(results, 'unsafe').length > 0 ? EXIT.notSafe : EXIT.cannotLock
}

export function verdictText({ results, limitation }: Findings): string {
  const passed = limitation === null ? 'exclude between these nodes' : 'exclude between processes here'
  const sentences = [
    ['pass', passed],
    ['unsafe', 'do NOT exclude: two nodes held the same lock at the same time'],
    ['failed', 'cannot be used: see the evidence'],
    ['unclear', 'are not judged, because a node was too slow to tell, or went away: try again when the nodes are less busy'],
  ] as const
  return [
    ...sentences
      .map(([mark, what]) => ({ kinds: kindsOf(results, mark), what }))
      .filter(({ kinds }) => kinds.length > 0)
      .map(({ kinds, what }) => `Locks by ${kinds.join(', ')} ${what}.`),
    ...(limitation === null ? [] : [limitationText(limitation)]),
  ].join('\n')
}

function attemptText(holder: string, by: string, attempt: Round['attempts'][number]): string {
  const { result, heldBy, heldBefore, heldAfter, heldByBoth, error } = attempt
  if (heldByBoth) return `${holder} held it, said so before and after, and ${by} acquired it in between and held it too`
  if (result === 'acquired') return `${by} acquired it; ${holder} had lost it (held before: ${heldBefore}, after: ${heldAfter})`
  if (result === 'failed') return `${by} could not try: ${error?.message}`
  const meanwhile = heldBefore && heldAfter ? `while ${holder} held it` : `but ${holder} was not sure of it all the time`
  return `${by} was refused${heldBy === null ? '' : ` (held by ${heldBy})`} ${meanwhile}`
}

function passingTexts(node: string, { handOver, takeOver }: Round): string[] {
  const text = (what: string, { to, tookMs }: NonNullable<Round['handOver']>) =>
    tookMs === null ? `${to} did not get it after ${node} ${what}` : `${to} got it ${Math.round(tookMs)} ms after ${node} ${what}`
  return [
    ...(handOver === null ? [] : [text('released', handOver)]),
    ...(takeOver === null ? [] : [text('was killed', takeOver)]),
  ]
}
