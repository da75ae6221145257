/** Does every process get a turn? Many processes, each of which wants the lock again as soon as it has released it. */

import { colourOf } from '../../src/cli/evidence/timeline.js'
import type { Agent } from '../agents.js'
import { askEach, type Bench, contestants, ifOurs, type Question, startTeams } from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, emptyAnswer, measurementOf, type Plot, plainRow } from '../result.js'
import { coefficientOfVariation, mean } from '../statistics.js'

const VARIATION_MAX = 0.12

export const fairness: Question = {
  id: 'fairness',
  title: 'Fairness',
  about: '16 processes that acquire and release as fast as they can for 10 s, and how evenly the acquisitions are shared',
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const processes = bench.quick ? 2 : 16
  const teams = await startTeams(bench, bench.places[0], contestants(bench, null, 'waits'), processes, answer.notes)
  const agentsOf = new Map(teams.map(({ candidate, agents }) => [candidate, agents]))
  const asked = { question: `fairness, ${processes} processes`, target: `coefficient of variation < ${VARIATION_MAX}` }
  await askEach(bench, [...agentsOf.keys()], asked, answer, async ({ candidate, place, row, target, answer }) => {
    // Ours get the whole ten seconds, the others enough to see what they are like.
    const forMs = bench.quick ? 200 : candidate.role === 'ours' ? 10_000 : 1500
    bench.progress(`${candidate.label}, ${processes} processes for ${forMs / 1000} s`)
    const turns = await contend(candidate, agentsOf.get(candidate) ?? [], forMs)
    const counts = turns.map((ofOne) => ofOne.length)
    answer.measurements.push(measurementOf(candidate, place.name, `shares in ${forMs / 1000} s`, 'acquisitions', [counts]))
    if (candidate.role === 'ours') answer.plots.push(courseOf(candidate, turns))
    const variation = coefficientOfVariation(counts)
    const perSecond = (mean(counts) * processes * 1000) / forMs
    const starved = counts.filter((count) => count === 0).length
    const words = `${variation.toFixed(2)}, ${perSecond.toFixed(0)} acquisitions per second${starved > 0 ? `, ${starved} got none` : ''}`
    answer.rows.push(plainRow(row, words, target, ifOurs(candidate, variation < VARIATION_MAX)))
  })
  await Promise.all([...agentsOf.values()].flat().map((agent) => agent.end()))
  answer.plots.unshift({ kind: 'shares', title: `acquisitions of ${processes} processes`, measurements: answer.measurements })
  answer.notes.push('Nothing is done under the lock, and no process stands back: the hardest case for fairness.')
  return answer
}

/** When a process had the lock, in microseconds. */
type Turn = [acquiredUs: number, releasedUs: number]

/** The turns of each of them. */
async function contend(candidate: Candidate, agents: readonly Agent[], forMs: number): Promise<Turn[][]> {
  const fromUs = Number(process.hrtime.bigint()) / 1000 + 100_000
  const request = { candidate: candidate.id, fromUs, toUs: fromUs + forMs * 1000, holdMs: 0, pauseMs: 0 }
  const turns = await Promise.all(agents.map((agent) => agent.ask('contend', request)))
  return turns.map((ofAgent) => ofAgent.filter(([acquiredUs]) => acquiredUs < request.toUs) as Turn[])
}

/** Once all of them are awake. */
const COURSE_FROM_MS = 1000
const COURSE_MS = 400

/** Which process had it when, for a moment. */
function courseOf({ label }: Candidate, turns: readonly (readonly Turn[])[]): Plot {
  const originMs = turns.reduce(
    (first, [turn]) => Math.min(first, (turn?.[0] ?? Number.POSITIVE_INFINITY) / 1000),
    Number.POSITIVE_INFINITY,
  )
  const [fromMs, toMs] = [originMs + COURSE_FROM_MS, originMs + COURSE_FROM_MS + COURSE_MS]
  const rows = turns.map((ofOne, index) => {
    const spans = ofOne.map(([acquiredUs, releasedUs]) => ({ fromMs: acquiredUs / 1000, toMs: releasedUs / 1000 }))
    const look = { colour: colourOf(index), height: 'full', title: 'held' } as const
    const seen = spans.filter((span) => span.toMs >= fromMs && span.fromMs <= toMs).map((span) => ({ ...span, ...look }))
    return { label: `process ${index + 1}`, spans: seen, marks: [] }
  })
  const title = `${label}: which process held it`
  return { kind: 'timeline', title, timeline: { title, fromMs, toMs, originMs, rows } }
}
