/** Does an asynchronous acquire + release keep the event loop running when the mount is slow? */

import { Agent } from '../agents.js'
import { askEach, type Bench, contestants, freshDirectory, ifOurs, type Question } from '../bench.js'
import { type Answer, emptyAnswer, measurementOf, plainRow } from '../result.js'
import { slowedDown } from '../strace.js'

/** Each change of a directory takes this long. A loop that waited for one would stand still for so long. */
const DELAY_MS = 100
const DELAY_QUICK_MS = 20

export const stall: Question = {
  id: 'stall',
  title: 'Event loop on a slow mount',
  about: 'the longest standstill of the event loop while asynchronous cycles run and every directory operation is slowed down',
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const delayMs = bench.quick ? DELAY_QUICK_MS : DELAY_MS
  const candidates = contestants(bench, 'names', 'asynchronous').filter(({ role }) => role !== 'floor')
  const asked = {
    question: 'event loop on a slow mount',
    target: `< ${delayMs / 2} ms, where each operation takes ${delayMs} ms`,
  }
  await askEach(bench, candidates, asked, answer, async ({ candidate, place, row, target, answer }) => {
    bench.progress(candidate.label)
    const agent = await Agent.open(candidate, freshDirectory(place), { under: slowedDown(delayMs) })
    // The first cycle makes the session and starts the thread.
    await agent.ask('stall', { candidate: candidate.id, cycles: 1 })
    const longestMs = await agent.ask('stall', { candidate: candidate.id, cycles: bench.quick ? 1 : 4 })
    await agent.end()
    answer.measurements.push(measurementOf(candidate, place.name, 'longest standstill', 'ms', [[longestMs]]))
    answer.rows.push(plainRow(row, `${longestMs.toFixed(1)} ms`, target, ifOurs(candidate, longestMs < delayMs / 2)))
  })
  answer.notes.push(`strace(1) delays every call that lists or changes a directory by ${delayMs} ms.`)
  return answer
}
