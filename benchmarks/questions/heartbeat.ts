/** What does it cost to keep 1, 100, 10,000 locks of one directory alive? */

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from '../agents.js'
import { type Bench, contestants, freshDirectory, leftOut, type Place, type Question } from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, type Curve, emptyAnswer, missingRow, plainRow } from '../result.js'
import { type Counted, countBetweenMarks, stracePath, TRACE_MISSING, tracing } from '../strace.js'

/** Short, so that a few seconds hold several; a lock lasts one and a half of them. */
const REFRESH_MS = 1000
const REFRESH_QUICK_MS = 300

/** With a heartbeat for each lock, ten times as many cost ten times as much: that need not be waited for. */
const PEER_COUNT_MAX = 100

/** "The same number": the window may cut off one operation here or there. */
const GROWTH_MAX = 1.2

export const heartbeat: Question = {
  id: 'heartbeat',
  title: 'Heartbeats',
  about: 'operations per refresh interval of a process that holds 1, 100 and 10,000 locks in one directory',
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const [place] = bench.places
  const counts = bench.quick ? [1, 20] : [1, 100, 10_000]
  const curves: Curve[] = []
  for (const candidate of contestants(bench, 'names', 'holds')) {
    // npm lockfile writes no heartbeat at all: its locks never go stale, or too early.
    if (candidate.id === 'lockfile') continue
    const { label, role, id } = candidate
    const row = { question: 'heartbeat', subject: label, place: place.name }
    const target = role === 'ours' ? `as many operations for ${counts.at(-1)} locks as for 1` : ''
    if (stracePath() === null) {
      answer.rows.push(missingRow(row, target, TRACE_MISSING))
      continue
    }
    const curve: Curve = { label, role, points: [] }
    try {
      for (const count of counts.filter((count) => role === 'ours' || count <= PEER_COUNT_MAX)) {
        bench.progress(`${label}, ${count} locks`)
        const { operations, calls } = await countWhileHolding(bench, candidate, place, count)
        curve.points.push({ x: count, y: operations })
        const of = `operations per refresh interval, ${count} locks`
        answer.measurements.push({
          candidate: id,
          label,
          role,
          place: place.name,
          of,
          unit: 'calls',
          rounds: [[operations, calls]],
        })
      }
      const words = curve.points.map(({ x, y }) => `${y.toFixed(1)} for ${x}`).join(', ')
      const growth = (curve.points.at(-1)?.y ?? Number.NaN) / (curve.points[0]?.y ?? Number.NaN)
      answer.rows.push(plainRow(row, words, target, role === 'ours' ? growth <= GROWTH_MAX : null))
      curves.push(curve)
    } catch (error) {
      answer.rows.push(missingRow(row, target, leftOut(candidate, place, error)))
    }
  }
  const axes = { xLabel: 'locks held', yLabel: 'operations per refresh interval' }
  answer.plots.push({ kind: 'curve', title: 'the cost of staying alive', ...axes, curves })
  answer.notes.push(
    `Counted with strace(1) in the process that holds the locks, refreshed every ${REFRESH_MS} ms, patrols of the directory included. npm lockfile writes no heartbeats.`,
  )
  return answer
}

/** Operations and calls per refresh interval. */
async function countWhileHolding(bench: Bench, candidate: Candidate, place: Place, count: number): Promise<Counted> {
  const directory = freshDirectory(place)
  const output = `${freshDirectory(place)}/trace`
  const { intervals, refreshMs } = bench.quick
    ? { intervals: 2, refreshMs: REFRESH_QUICK_MS }
    : { intervals: 3, refreshMs: REFRESH_MS }
  const agent = await Agent.open(candidate, directory, { under: tracing(output), refreshMs })
  try {
    await agent.ask('hold', { candidate: candidate.id, count })
    await sleep(refreshMs)
    await agent.mark('begin')
    await sleep(refreshMs * intervals)
    await agent.mark('end')
  } finally {
    await agent.end()
  }
  const { operations, calls, byName } = countBetweenMarks(output, directory)
  return { operations: operations / intervals, calls: calls / intervals, byName }
}
