/** What does a candidate ask of the file system: for one cycle, and for a second of waiting? */

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from '../agents.js'
import { type Bench, contestants, freshDirectory, leftOut, type Place, type Question } from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, emptyAnswer, figure, missingRow, plainRow } from '../result.js'
import { type Counted, countBetweenMarks, stracePath, TRACE_MISSING, tracing } from '../strace.js'

/** Operations and system calls per acquire + release, when the last release was one's own. */
const TARGETS: Record<string, { operations: number; calls: number }> = {
  linkbased: { operations: 4, calls: 8 },
  renamebased: { operations: 2, calls: 2 },
}

export const operations: Question = {
  id: 'operations',
  title: 'Operations on the file system',
  about: 'operations and system calls per acquire + release, and per second of waiting, by strace',
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const [place] = bench.places
  if (stracePath() === null) {
    answer.rows.push(missingRow({ question: 'operations', subject: 'all', place: place.name }, '', TRACE_MISSING))
    return answer
  }
  for (const candidate of contestants(bench, null, 'blocking')) {
    if (candidate.role === 'floor' && (candidate.program === 'c' || bench.quick)) continue
    bench.progress(`${candidate.label}, a cycle`)
    await perCycle(bench, candidate, place, answer)
  }
  for (const candidate of contestants(bench, null, 'waits')) {
    if (candidate.role !== 'ours' && bench.quick) continue
    bench.progress(`${candidate.label}, waiting`)
    await perSecondOfWaiting(bench, candidate, place, answer)
  }
  answer.notes.push(
    'Calls that concern the directory of the lock. An operation is a call that names a file, with all that is done through the descriptor that it gives: a listing is one operation of five calls. Waiting is counted until the lock was got and given back.',
  )
  return answer
}

async function perCycle(bench: Bench, candidate: Candidate, place: Place, answer: Answer): Promise<void> {
  const { id, label, role } = candidate
  const row = { question: 'operations per cycle', subject: label, place: place.name }
  const target = TARGETS[id]
  const wanted = target === undefined ? '' : `≤ ${target.operations} operations, ≤ ${target.calls} calls`
  const cycles = bench.quick ? 5 : 50
  const cycle = (most: number) => ({ candidate: id, mode: 'blocking', forMs: 60_000, most }) as const
  try {
    const counted = await traced(candidate, place, async (agent) => {
      await agent.ask('block', cycle(3))
      await agent.mark('begin')
      await agent.ask('block', cycle(cycles))
      await agent.mark('end')
    })
    const [named, calls] = [counted.operations / cycles, counted.calls / cycles]
    answer.measurements.push({
      candidate: id,
      label,
      role,
      place: place.name,
      of: 'operations and calls per cycle',
      unit: 'calls',
      rounds: [[named, calls]],
    })
    // One beat of the heart may fall among them.
    const isMet = target === undefined ? null : Math.floor(named) <= target.operations && Math.floor(calls) <= target.calls
    answer.rows.push(
      plainRow(row, `${figure(named)} operations, ${figure(calls)} calls (${inWords(counted, cycles)})`, wanted, isMet),
    )
  } catch (error) {
    answer.rows.push(missingRow(row, wanted, leftOut(candidate, place, error)))
  }
}

const inWords = ({ byName }: Counted, cycles: number) =>
  Object.entries(byName)
    .filter(([, count]) => count >= cycles / 2)
    .map(([name, count]) => (Math.round(count / cycles) === 1 ? name : `${Math.round(count / cycles)} ${name}`))
    .join(', ')

async function perSecondOfWaiting(bench: Bench, candidate: Candidate, place: Place, answer: Answer): Promise<void> {
  const { id, label, role } = candidate
  const row = { question: 'operations per second of waiting', subject: label, place: place.name }
  const waitMs = bench.quick ? 300 : 2000
  let holder: Agent | undefined
  try {
    const counted = await traced(candidate, place, async (agent, directory) => {
      holder = await Agent.open(candidate, directory)
      // What the first lock in a directory takes, once, is no part of waiting.
      await agent.ask('wait', { candidate: id })
      const holding = holder.ask('keep', { candidate: id, forMs: waitMs })
      await sleep(HOLDER_STARTS_MS)
      await agent.mark('begin')
      await agent.ask('wait', { candidate: id })
      await agent.mark('end')
      await holding
    })
    const perSecond = counted.operations / ((waitMs - HOLDER_STARTS_MS) / 1000)
    answer.measurements.push({
      ...{ candidate: id, label, role, place: place.name, of: 'operations per second of waiting', unit: 'calls' },
      rounds: [[perSecond]],
    })
    answer.rows.push(plainRow(row, `${figure(perSecond)} operations`, '', null))
  } catch (error) {
    answer.rows.push(missingRow(row, '', leftOut(candidate, place, error)))
  } finally {
    await holder?.end()
  }
}

const HOLDER_STARTS_MS = 100

async function traced(
  candidate: Candidate,
  place: Place,
  work: (agent: Agent, directory: string) => Promise<void>,
): Promise<Counted> {
  const directory = freshDirectory(place)
  const output = `${freshDirectory(place)}/trace`
  const agent = await Agent.open(candidate, directory, { under: tracing(output) })
  try {
    await work(agent, directory)
  } finally {
    await agent.end()
  }
  return countBetweenMarks(output, directory)
}
