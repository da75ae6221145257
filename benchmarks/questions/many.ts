/** What does it cost to acquire, hold and drop 10,000 locks, and to end while holding them? */

import { Agent } from '../agents.js'
import { type Bench, contestants, freshDirectory, leaveLocks, leftOut, type Place, type Question } from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, emptyAnswer, type Measurement, measurementOf, missingRow, plainRow, type Row, ratioRow } from '../result.js'
import { median, ratioOfRounds } from '../statistics.js'

const HEAP_BYTES_MAX = 1024
const EXIT_MS_MAX = 1000

export const many: Question = {
  id: 'many',
  title: 'Ten thousand locks',
  about: 'acquiring, holding and dropping 10,000 locks: time, heap per lock, and the end of the process that holds them',
  ask,
}

/** The others are asked for fewer: what one lock costs them does not depend on how many there are, and some take long. */
const countFor = ({ role }: Candidate, { quick }: Bench) => (quick ? 200 : role === 'ours' ? 10_000 : 2000)

/** What one candidate took, per round: for all its locks, and heap for one. */
interface Taken {
  candidate: Candidate
  agent: Agent
  directory: string
  count: number
  firstMs: number[][]
  againMs: number[][]
  dropMs: number[][]
  heapBytes: number[][]
  exitMs: number[][]
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const [place] = bench.places
  const rounds = bench.quick ? 1 : 3
  let all: Taken[] = []
  for (const candidate of contestants(bench, 'names', 'holds')) {
    bench.progress(`${candidate.label}, first time`)
    const taken = await begin(candidate, place, countFor(candidate, bench)).catch(
      (error) => void answer.notes.push(leftOut(candidate, place, error)),
    )
    if (taken !== undefined) all.push(taken)
  }
  /** A candidate that fails is left out from then on. */
  const each = async (doing: string, work: (taken: Taken) => Promise<void>) => {
    for (const taken of [...all]) {
      bench.progress(`${taken.candidate.label}, ${doing}`)
      await work(taken).catch((error) => {
        all = all.filter((other) => other !== taken)
        answer.notes.push(leftOut(taken.candidate, place, error))
      })
    }
  }
  for (let round = 1; round <= rounds; round++) await each(`round ${round} of ${rounds}`, holdAndDrop)
  await each('the end of the process', async ({ candidate, agent, directory, count, exitMs }) => {
    await agent.ask('hold', { candidate: candidate.id, count })
    exitMs.push([await agent.exit()])
    leaveLocks(candidate, place, count, directory)
  })
  const rival = all.find(({ candidate }) => candidate.id === 'proper-lockfile')
  for (const taken of all) {
    answer.measurements.push(...toMeasurements(taken, place))
    answer.rows.push(...judge(taken, rival, place))
  }
  answer.notes.push(
    `Blocking calls, one lock after the other. "First" is the first time that a lock is taken, when ours make its directory; "again" is every later time. Heap is what is in use after a collection, with the locks held less before, the handles included.`,
  )
  return answer
}

async function begin(candidate: Candidate, place: Place, count: number): Promise<Taken> {
  const directory = freshDirectory(place)
  const agent = await Agent.open(candidate, directory, { nodeFlags: ['--expose-gc'] })
  const taken: Taken = { candidate, agent, directory, count, firstMs: [], againMs: [], dropMs: [], heapBytes: [], exitMs: [] }
  const { id } = candidate
  // A lock of its own: what there is once, the session and its thread, is not to be counted.
  await agent.ask('block', { candidate: id, mode: 'blocking', forMs: 1, most: 1 })
  taken.firstMs.push([await agent.ask('hold', { candidate: id, count })])
  await agent.ask('drop', { candidate: id })
  return taken
}

async function holdAndDrop({ candidate: { id }, agent, count, againMs, dropMs, heapBytes }: Taken): Promise<void> {
  const before = await agent.ask('heap', {})
  againMs.push([await agent.ask('hold', { candidate: id, count })])
  heapBytes.push([((await agent.ask('heap', {})) - before) / count])
  dropMs.push([await agent.ask('drop', { candidate: id })])
}

function toMeasurements({ candidate, ...taken }: Taken, { name }: Place): Measurement[] {
  return [
    measurementOf(candidate, name, 'acquiring all, first time', 'ms', taken.firstMs),
    measurementOf(candidate, name, 'acquiring all, again', 'ms', taken.againMs),
    measurementOf(candidate, name, 'dropping all', 'ms', taken.dropMs),
    measurementOf(candidate, name, 'heap per lock', 'bytes', taken.heapBytes),
    measurementOf(candidate, name, 'end of the process', 'ms', taken.exitMs),
  ]
}

function judge(taken: Taken, rival: Taken | undefined, place: Place): Row[] {
  const { label, role } = taken.candidate
  const { count } = taken
  const isOurs = role === 'ours'
  const row = (what: string) => ({ question: `${count} locks: ${what}`, subject: label, place: place.name })
  const times = [taken.firstMs, taken.againMs, taken.dropMs].map((rounds) => `${(median(rounds.flat()) / 1000).toFixed(2)} s`)
  const heap = median(taken.heapBytes.flat())
  const exit = median(taken.exitMs.flat())
  const rows = [
    plainRow(row('time'), `first ${times[0]}, again ${times[1]}, drop ${times[2]}`, '', null),
    plainRow(
      row('heap'),
      `${Math.round(heap)} bytes per lock`,
      isOurs ? '≤ 1 KiB per lock' : '',
      isOurs ? heap <= HEAP_BYTES_MAX : null,
    ),
    plainRow(row('exit'), `${Math.round(exit)} ms`, isOurs ? '≤ 1 s' : '', isOurs ? exit <= EXIT_MS_MAX : null),
  ]
  if (!isOurs) return rows
  if (rival === undefined) return [...rows, missingRow(row('acquiring'), '', 'proper-lockfile did not take part')]
  const ratio = ratioOfRounds(perLock(rival), perLock(taken))
  const faster = ratioRow(row('acquiring'), ratio, { words: 'as fast as proper-lockfile', target: '', reached: () => true })
  return [...rows, { ...faster, verdict: 'no target' }]
}

const perLock = ({ againMs, count }: Taken) => againMs.map((round) => round.map((ms) => ms / count))
