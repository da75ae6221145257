/** What does an uncontended acquire + release cost, next to every peer and to the bare system calls? */

import { type Bench, contestants, interleave, type Place, type Question, startEach } from '../bench.js'
import type { Family } from '../candidate.js'
import type { Mode } from '../requests.js'
import { type Answer, emptyAnswer, type Measurement, missingRow, type Row, ratioRow } from '../result.js'
import { ratioOfRounds } from '../statistics.js'

/** The cycles that are compared, each with what is to be reached. */
interface Comparison {
  title: string
  family: Family
  mode: Mode
  targets(place: Place): Target[]
}

/** `faster`: at least so many times; `slower`: at most so many times. */
type Target = { than: string } & ({ faster: number } | { slower: number })

const COMPARISONS: readonly Comparison[] = [
  {
    title: 'acquire + release, blocking',
    family: 'names',
    mode: 'blocking',
    targets: ({ name }) => [
      { than: 'proper-lockfile', faster: name === 'tmpfs' ? 3 : 5 },
      { than: 'node-four-calls', faster: 1 },
    ],
  },
  {
    title: 'acquire + release, asynchronous',
    family: 'names',
    mode: 'asynchronous',
    targets: () => [{ than: 'proper-lockfile', faster: 3 }],
  },
  { title: 'advisory, blocking', family: 'advisory', mode: 'blocking', targets: () => [{ than: 'fs-ext', slower: 1.3 }] },
  { title: 'advisory, asynchronous', family: 'advisory', mode: 'asynchronous', targets: () => [{ than: 'fs-ext', slower: 1.3 }] },
]

export const cycle: Question = {
  id: 'cycle',
  title: 'Uncontended acquire + release',
  about: 'one process, one lock, again and again, next to every peer and to the bare system calls',
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  for (const place of bench.places) {
    for (const comparison of COMPARISONS) {
      bench.progress(`${comparison.title} on ${place.name}`)
      const measurements = await measure(bench, place, comparison, answer.notes)
      answer.measurements.push(...measurements)
      answer.rows.push(...judge(comparison, place, measurements))
      answer.plots.push({ kind: 'distribution', title: `${comparison.title}, on ${place.name}`, measurements })
    }
  }
  answer.notes.push(
    'Each candidate has a process of its own; they are asked in turn for about 10 ms of cycles each, after having warmed up. A ratio is the median over the rounds of the ratio of the two medians of one round; in parentheses the middle 80 % of the rounds.',
    'dotlockfile(1) and flock(1) are started anew for each lock: that is how a shell script uses them.',
  )
  return answer
}

/** For file systems that refuse hard links: they are not chosen for their speed. */
const NOT_JUDGED = new Set(['symlinks'])

async function measure(bench: Bench, place: Place, { family, mode }: Comparison, notes: string[]): Promise<Measurement[]> {
  const started = await startEach(bench, place, contestants(bench, family, mode), notes)
  try {
    return await interleave(started, place, { mode, quick: bench.quick }, notes)
  } finally {
    await Promise.all(started.map(({ agent }) => agent.end()))
  }
}

function judge({ title, targets }: Comparison, place: Place, measurements: readonly Measurement[]): Row[] {
  const ours = measurements.filter(({ role }) => role === 'ours')
  return ours.flatMap((mine) => {
    const row = { question: title, subject: mine.label, place: place.name }
    const rows = targets(place).map((target) => judgeOne(row, mine, target, measurements))
    return NOT_JUDGED.has(mine.candidate) ? rows.map((judged): Row => ({ ...judged, target: '', verdict: 'no target' })) : rows
  })
}

function judgeOne(
  row: Pick<Row, 'question' | 'subject' | 'place'>,
  mine: Measurement,
  target: Target,
  measurements: readonly Measurement[],
): Row {
  const other = measurements.find(({ candidate }) => candidate === target.than)
  const name = other?.label ?? target.than
  if ('faster' in target) {
    const wanted = target.faster === 1 ? `faster than ${name}` : `≥ ${target.faster} × faster than ${name}`
    if (other === undefined) return missingRow(row, wanted, `${name} did not take part`)
    const reached = (ratio: number) => (target.faster === 1 ? ratio > 1 : ratio >= target.faster)
    return ratioRow(row, ratioOfRounds(other.rounds, mine.rounds), { words: `as fast as ${name}`, target: wanted, reached })
  }
  const wanted = `≤ ${target.slower} × ${name}`
  if (other === undefined) return missingRow(row, wanted, `${name} did not take part`)
  return ratioRow(row, ratioOfRounds(mine.rounds, other.rounds), {
    words: `the time of ${name}`,
    target: wanted,
    reached: (ratio) => ratio <= target.slower,
  })
}
