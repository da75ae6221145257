/** What does it cost to keep 1, 100, 10,000 locks of one directory alive? */

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from '../agents.js'
import {
  askEach,
  type Bench,
  contestants,
  directoryWithLocks,
  freshDirectory,
  ifOurs,
  type Place,
  type Question,
} from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, type Curve, emptyAnswer, measurementOf, plainRow } from '../result.js'
import { type Counted, countBetweenMarks, tracing } from '../strace.js'

/** Short, so that a few seconds hold several; a lock lasts three of them. */
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
  const counts = bench.quick ? [1, 20] : [1, 100, 10_000]
  // npm lockfile writes no heartbeat at all: its locks never go stale, or too early.
  const candidates = contestants(bench, 'names', 'holds').filter(({ id }) => id !== 'lockfile')
  const asked = { question: 'heartbeat', target: `as many operations for ${counts.at(-1)} locks as for 1`, atOnce: true }
  const curves = new Map<string, Curve>()
  await askEach(bench, candidates, asked, answer, async ({ candidate, place, row, target, answer }) => {
    const { label, role } = candidate
    bench.progress(`${label}, ${counts.join(', ')} locks`)
    const mine = counts.filter((count) => role === 'ours' || count <= PEER_COUNT_MAX)
    const counted = await Promise.all(mine.map((count) => countWhileHolding(bench, candidate, place, count)))
    const points = mine.map((count, index) => ({ x: count, y: (counted[index] as Counted).operations }))
    for (const [index, { operations, calls }] of counted.entries()) {
      const of = `operations per refresh interval, ${mine[index]} locks`
      answer.measurements.push(measurementOf(candidate, place.name, of, 'calls', [[operations, calls]]))
    }
    const words = points.map(({ x, y }) => `${y.toFixed(1)} for ${x}`).join(', ')
    const growth = (points.at(-1)?.y ?? Number.NaN) / (points[0]?.y ?? Number.NaN)
    answer.rows.push(plainRow(row, words, target, ifOurs(candidate, growth <= GROWTH_MAX)))
    curves.set(candidate.id, { label, role, points })
  })
  const inOrder = candidates.flatMap(({ id }) => curves.get(id) ?? [])
  const axes = { xLabel: 'locks held', yLabel: 'operations per refresh interval' }
  answer.plots.push({ kind: 'curve', title: 'the cost of staying alive', ...axes, curves: inOrder })
  answer.notes.push(
    `Counted with strace(1) in the process that holds the locks, refreshed every ${REFRESH_MS} ms, patrols of the directory included. npm lockfile writes no heartbeats.`,
  )
  return answer
}

/** Operations and calls per refresh interval. */
async function countWhileHolding(bench: Bench, candidate: Candidate, place: Place, count: number): Promise<Counted> {
  const directory = await directoryWithLocks(candidate, place, count)
  const output = `${freshDirectory(place)}/trace`
  const { intervals, refreshMs } = bench.quick
    ? { intervals: 2, refreshMs: REFRESH_QUICK_MS }
    : { intervals: 6, refreshMs: REFRESH_MS }
  const agent = await Agent.open(candidate, directory, { under: tracing(output), refreshMs })
  try {
    await agent.ask('hold', { candidate: candidate.id, count })
    await sleep(refreshMs)
    await agent.mark('begin')
    await sleep(refreshMs * intervals)
    await agent.mark('end')
    // A process that has lost its locks meanwhile had nothing to keep alive.
    await agent.ask('drop', { candidate: candidate.id })
  } finally {
    await agent.end()
  }
  const { operations, calls, byName } = countBetweenMarks(output, directory)
  return { operations: operations / intervals, calls: calls / intervals, byName }
}
