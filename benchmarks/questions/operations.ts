/** What does a candidate ask of the file system: for one cycle, and for a second of waiting? */

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from '../agents.js'
import { askEach, type Bench, contestants, freshDirectory, type Part, type Place, type Question } from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, emptyAnswer, figure, measurementOf, plainRow } from '../result.js'
import { type Counted, countBetweenMarks, tracing } from '../strace.js'

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
  const inCycles = contestants(bench, null, 'blocking').filter(
    ({ role, program }) => role !== 'floor' || (program !== 'c' && !bench.quick),
  )
  const perCycle = { question: 'operations per cycle', target: wanted }
  await askEach(bench, inCycles, perCycle, answer, (part) => countCycles(bench, part))
  const waiting = contestants(bench, null, 'waits').filter(({ role }) => role === 'ours' || !bench.quick)
  const perSecond = { question: 'operations per second of waiting', target: '', atOnce: true }
  await askEach(bench, waiting, perSecond, answer, (part) => countWaiting(bench, part))
  answer.notes.push(
    'Calls that concern the directory of the lock. An operation is a call that names a file, with all that is done through the descriptor that it gives: a listing is one operation of five calls. Waiting is counted until the lock was got and given back.',
  )
  return answer
}

const wanted = ({ id }: Candidate) => {
  const target = TARGETS[id]
  return target === undefined ? '' : `≤ ${target.operations} operations, ≤ ${target.calls} calls`
}

async function countCycles(bench: Bench, { candidate, place, row, target, answer }: Part): Promise<void> {
  bench.progress(`${candidate.label}, a cycle`)
  const cycles = bench.quick ? 5 : 50
  const cycle = (most: number) => ({ candidate: candidate.id, mode: 'blocking', forMs: 60_000, most }) as const
  const counted = await traced(candidate, place, async (agent) => {
    await agent.ask('block', cycle(3))
    await agent.mark('begin')
    await agent.ask('block', cycle(cycles))
    await agent.mark('end')
  })
  const [named, calls] = [counted.operations / cycles, counted.calls / cycles]
  answer.measurements.push(measurementOf(candidate, place.name, 'operations and calls per cycle', 'calls', [[named, calls]]))
  const most = TARGETS[candidate.id]
  // One beat of the heart may fall among them.
  const isMet = most === undefined ? null : Math.floor(named) <= most.operations && Math.floor(calls) <= most.calls
  answer.rows.push(
    plainRow(row, `${figure(named)} operations, ${figure(calls)} calls (${inWords(counted, cycles)})`, target, isMet),
  )
}

const inWords = ({ byName }: Counted, cycles: number) =>
  Object.entries(byName)
    .filter(([, count]) => count >= cycles / 2)
    .map(([name, count]) => (Math.round(count / cycles) === 1 ? name : `${Math.round(count / cycles)} ${name}`))
    .join(', ')

async function countWaiting(bench: Bench, { candidate, place, row, answer }: Part): Promise<void> {
  bench.progress(`${candidate.label}, waiting`)
  const { id } = candidate
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
    answer.measurements.push(measurementOf(candidate, place.name, 'operations per second of waiting', 'calls', [[perSecond]]))
    answer.rows.push(plainRow(row, `${figure(perSecond)} operations`, '', null))
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
