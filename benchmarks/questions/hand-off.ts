/** How long does it take from one process's release to the next one's acquire on the same host, and what does waiting cost? */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent } from '../agents.js'
import { type Bench, contestants, leftOut, type Place, type Question, startTeams, type Team } from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, type Curve, emptyAnswer, figure, type Measurement, measurementOf, missingRow, plainRow } from '../result.js'
import { median, quantile } from '../statistics.js'

const MEDIAN_MS_MAX = 1.5
const P99_MS_MAX = 8
const PROCESSOR_SHARE_MAX = 0.01

/** Long enough for the others to fall asleep again. */
const HOLD_MS = 10
/** After a release its process stands back, so that it is another one that acquires. */
const PAUSE_MS = 15

export const handOff: Question = {
  id: 'handoff',
  title: 'Hand-off on one host',
  about: 'from one process’s release to the next one’s acquire, with 2 and 16 waiters; processor time while waiting',
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const [place] = bench.places
  const curves = new Map<string, Curve>()
  for (const waiters of bench.quick ? [2] : [2, 16]) {
    const candidates = contestants(bench, null, 'waits')
    const teams = await startTeams(bench, place, candidates, waiters + 1, answer.notes)
    const started = teams.flatMap(({ agents }) => agents)
    const measurements = await measure(bench, teams, place, waiters, answer.notes)
    answer.measurements.push(...measurements)
    answer.plots.push({ kind: 'distribution', title: `release → acquire, ${waiters} waiters`, measurements })
    for (const measurement of measurements) {
      answer.rows.push(...judge(measurement, place, waiters))
      addPoint(curves, measurement, waiters)
    }
    for (const team of teams) {
      // Candidates that ask again every second take long to be done with, and each of sixteen costs what one of two does.
      if (team.candidate.role !== 'ours' && waiters > 2) continue
      bench.progress(`${team.candidate.label}, processor time of ${waiters} waiters`)
      const cost = waitingCost(bench, team, place, answer.measurements)
      await cost.then((row) => answer.rows.push(row)).catch((error) => answer.notes.push(leftOut(team.candidate, place, error)))
    }
    await Promise.all(started.map((agent) => agent.end()))
  }
  const axes = { xLabel: 'waiters', yLabel: 'release → acquire, median, ms' }
  answer.plots.push({ kind: 'curve', title: 'with more waiters', ...axes, curves: [...curves.values()] })
  answer.notes.push(
    `From the moment before the call of release() in one process to the moment after acquire() returned in another one. Each holder holds for ${HOLD_MS} ms and then stands back for ${PAUSE_MS} ms. The hand-offs of the first ${SETTLE_MS} ms of a turn are not counted: until then the waiters come; nor is the first turn of each, in which its processes compile what they run. Ours and the floor take turns, three of a second each; each peer has one of two seconds.`,
    'proper-lockfile, npm lockfile and filelock wait as they do by default: they ask again every 1000, 100 and 50 ms. Bare flock sleeps in the kernel, in a thread. flufl.lock, which sleeps up to two seconds at a time, is left out.',
  )
  return answer
}

function addPoint(curves: Map<string, Curve>, { candidate, label, role, rounds }: Measurement, waiters: number): void {
  const samples = rounds.flat()
  if (samples.length === 0) return
  const curve = curves.get(candidate) ?? { label, role, points: [] }
  curve.points.push({ x: waiters, y: median(samples) })
  curves.set(candidate, curve)
}

async function measure(bench: Bench, teams: Team[], place: Place, waiters: number, notes: string[]): Promise<Measurement[]> {
  const { rounds, forMs } = bench.quick ? { rounds: 1, forMs: 200 } : { rounds: 3, forMs: 1000 }
  const measured = teams.map((team) => ({ team, samplesMs: [] as number[][] }))
  for (let round = 0; round < rounds; round++) {
    for (const one of [...measured]) {
      const { candidate, agents } = one.team
      // Peers get one long turn: after each of their turns a process may sleep for seconds.
      if (candidate.role === 'peer' && round > 0) continue
      bench.progress(`${candidate.label}, ${waiters} waiters, round ${round + 1} of ${rounds}`)
      try {
        if (candidate.role !== 'peer' && round === 0) await handOffsMs(candidate, agents, WARM_UP_MS)
        one.samplesMs.push(await handOffsMs(candidate, agents, candidate.role === 'peer' ? forMs * 2 : forMs))
      } catch (error) {
        notes.push(leftOut(candidate, place, error))
        measured.splice(measured.indexOf(one), 1)
        teams.splice(teams.indexOf(one.team), 1)
      }
    }
  }
  return measured.map(({ team: { candidate }, samplesMs }) =>
    measurementOf(candidate, place.name, `hand-off, ${waiters} waiters`, 'ms', samplesMs),
  )
}

async function handOffsMs(candidate: Candidate, agents: readonly Agent[], forMs: number): Promise<number[]> {
  const fromUs = Number(process.hrtime.bigint()) / 1000 + START_MS * 1000
  const countedFromUs = fromUs + SETTLE_MS * 1000
  const request = { candidate: candidate.id, fromUs, toUs: countedFromUs + forMs * 1000, holdMs: HOLD_MS, pauseMs: PAUSE_MS }
  const byAgent = await Promise.all(agents.map((agent) => agent.ask('contend', request)))
  const turns = byAgent.flatMap((ofAgent, agent) =>
    ofAgent.map(([acquiredUs, releasedUs]) => ({ agent, acquiredUs, releasedUs })),
  )
  turns.sort((a, b) => a.acquiredUs - b.acquiredUs)
  return turns.slice(1).flatMap((turn, index) => {
    const before = turns[index] as (typeof turns)[number]
    if (turn.acquiredUs < before.releasedUs) throw new Error(`${candidate.label}: two processes held the lock at the same time`)
    // After the end there are ever fewer waiters.
    const isCounted = turn.agent !== before.agent && before.releasedUs >= countedFromUs && before.releasedUs < request.toUs
    return isCounted ? [Math.round(turn.acquiredUs - before.releasedUs) / 1000] : []
  })
}

/** Until all processes have read their orders. */
const START_MS = 50
/** A turn before those that count, in which each process compiles what it runs: seventeen of them on a few processors. */
const WARM_UP_MS = 500

function judge({ label, role, rounds }: Measurement, place: Place, waiters: number) {
  const row = { question: `hand-off, ${waiters} waiters`, subject: label, place: place.name }
  const all = rounds.flat()
  const targets = role === 'ours'
  const target = targets ? `median ≤ ${MEDIAN_MS_MAX} ms, p99 ≤ ${P99_MS_MAX} ms` : ''
  if (all.length === 0) return [missingRow(row, target, 'no hand-off in the time it was given')]
  const [middle, p99] = [median(all), quantile(all, 0.99)]
  const isMet = middle <= MEDIAN_MS_MAX && p99 <= P99_MS_MAX
  return [
    plainRow(row, `median ${figure(middle)} ms, p99 ${figure(p99)} ms, ${all.length} times`, target, targets ? isMet : null),
  ]
}

/** One process holds, the others wait: what do they do meanwhile? */
async function waitingCost(bench: Bench, { candidate, agents }: Team, place: Place, measurements: Measurement[]) {
  const { id, label, role } = candidate
  const waiters = agents.length - 1
  const row = { question: `processor time of ${waiters} waiters`, subject: label, place: place.name }
  const target = role === 'ours' ? `< ${PROCESSOR_SHARE_MAX * 100} % each` : ''
  const [holder, ...others] = agents as [Agent, ...Agent[]]
  // The holder's turn lasts until it has been watched for long enough.
  const settleMs = bench.quick ? 100 : SETTLE_MS
  const watchMs = bench.quick ? 100 : 700
  const holding = holder.ask('keep', { candidate: id, forMs: START_MS + settleMs + watchMs + settleMs })
  await sleep(START_MS)
  const waiting = others.map((agent) => agent.ask('wait', { candidate: id }))
  await sleep(settleMs)
  const before = others.map(({ pid }) => processorMs(pid))
  await sleep(watchMs)
  const shares = others.map(({ pid }, index) => (processorMs(pid) - (before[index] as number)) / watchMs)
  await Promise.all([holding, ...waiting])
  const percent = shares.map((share) => share * 100)
  measurements.push(measurementOf(candidate, place.name, `processor time of ${waiters} waiters`, '%', [percent]))
  const middle = median(shares)
  if (!Number.isFinite(middle)) return missingRow(row, target, 'the kernel does not tell')
  return plainRow(row, `${(middle * 100).toFixed(2)} % each`, target, role === 'ours' ? middle < PROCESSOR_SHARE_MAX : null)
}

/**
 * Until all that wait have made their first tries. While sixteen processes came at once, on two processors and some of them for
 * the first time, hand-offs took up to 42 ms (2026-11-28).
 */
const SETTLE_MS = 300

/** What all threads of a process have used, to the nanosecond; the usual counters have ticks of 10 ms. */
function processorMs(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.reduce(
      (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6,
      0,
    )
  } catch {
    return Number.NaN
  }
}
