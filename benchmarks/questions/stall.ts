/** Does an asynchronous acquire + release keep the event loop running when the mount is slow? */

import { Agent } from '../agents.js'
import { type Bench, contestants, freshDirectory, leftOut, type Question } from '../bench.js'
import { type Answer, emptyAnswer, missingRow, plainRow } from '../result.js'
import { slowedDown, stracePath, TRACE_MISSING } from '../strace.js'

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
  const [place] = bench.places
  const delayMs = bench.quick ? DELAY_QUICK_MS : DELAY_MS
  for (const candidate of contestants(bench, 'names', 'asynchronous')) {
    if (candidate.role === 'floor') continue
    const row = { question: 'event loop on a slow mount', subject: candidate.label, place: place.name }
    const target = candidate.role === 'ours' ? `< ${delayMs / 2} ms, where each operation takes ${delayMs} ms` : ''
    if (stracePath() === null) {
      answer.rows.push(missingRow(row, target, TRACE_MISSING))
      continue
    }
    bench.progress(candidate.label)
    const directory = freshDirectory(place)
    try {
      const agent = await Agent.open(candidate, directory, { under: slowedDown(delayMs) })
      // The first cycle makes the session and starts the thread.
      await agent.ask('stall', { candidate: candidate.id, cycles: 1 })
      const longestMs = await agent.ask('stall', { candidate: candidate.id, cycles: bench.quick ? 1 : 4 })
      await agent.end()
      const { id, label, role } = candidate
      answer.measurements.push({
        candidate: id,
        label,
        role,
        place: place.name,
        of: 'longest standstill',
        unit: 'ms',
        rounds: [[longestMs]],
      })
      answer.rows.push(
        plainRow(row, `${longestMs.toFixed(1)} ms`, target, candidate.role === 'ours' ? longestMs < delayMs / 2 : null),
      )
    } catch (error) {
      answer.notes.push(leftOut(candidate, place, error))
    }
  }
  answer.notes.push(`strace(1) delays every call that lists or changes a directory by ${delayMs} ms.`)
  return answer
}
