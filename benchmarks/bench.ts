/** What every question is given: where to measure, which candidates, and how thoroughly; and the measuring that several of them share. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Agent } from './agents.js'
import type { Ability, Candidate, Family } from './candidate.js'
import { CANDIDATES } from './peers.mjs'
import type { Mode } from './requests.js'
import { type Answer, emptyAnswer, type Measurement, measurementOf, missingRow, type Row } from './result.js'

/** A directory to measure in. */
export interface Place {
  /** The type of its file system. */
  name: string
  directory: string
}

export interface Bench {
  /** The first is for the questions whose answer hardly depends on where. */
  places: readonly [Place, ...Place[]]
  /** `null`: all. */
  peers: ReadonlySet<string> | null
  /** Only to see that everything works: a few seconds. */
  quick: boolean
  floorProgram: string | null
  progress(text: string): void
}

export interface Question {
  /** For the command line. */
  id: string
  title: string
  /** What is measured, in a sentence. */
  about: string
  ask(bench: Bench): Promise<Answer>
}

/** The candidates of a question. */
export function contestants({ peers }: Bench, family: Family | null, ability: Ability): Candidate[] {
  return CANDIDATES.filter(
    (one) =>
      one.can.includes(ability) &&
      (family === null || one.family === family) &&
      (one.role !== 'peer' || peers === null || peers.has(one.id)),
  )
}

/** One candidate's part of an answer. */
export interface Part {
  candidate: Candidate
  place: Place
  row: Pick<Row, 'question' | 'subject' | 'place'>
  /** In words; empty for candidates that have none to reach. */
  target: string
  answer: Answer
}

export interface Asked {
  question: string
  target: string | ((candidate: Candidate) => string)
  /** Not one after the other: for what is counted, and does not depend on how fast it is done. */
  atOnce?: boolean
}

/** Asks each candidate, on the first of the places. A candidate that cannot take part gets a row that says why. */
export async function askEach(
  { places: [place] }: Bench,
  candidates: readonly Candidate[],
  { question, target, atOnce = false }: Asked,
  answer: Answer,
  ask: (part: Part) => Promise<void>,
): Promise<void> {
  const parts = candidates.map((candidate): Part => {
    const row = { question, subject: candidate.label, place: place.name }
    const own = typeof target === 'function' ? target(candidate) : candidate.role === 'ours' ? target : ''
    return { candidate, place, row, target: own, answer: emptyAnswer() }
  })
  const askOne = (part: Part) =>
    ask(part).catch((error) => {
      part.answer.rows.push(missingRow(part.row, part.target, leftOut(part.candidate, place, error)))
    })
  if (atOnce) await Promise.all(parts.map(askOne))
  else for (const part of parts) await askOne(part)
  for (const { answer: own } of parts) {
    answer.rows.push(...own.rows)
    answer.measurements.push(...own.measurements)
    answer.plots.push(...own.plots)
    answer.notes.push(...own.notes)
  }
}

/** `null` where there is none to reach. */
export const ifOurs = ({ role }: Candidate, isMet: boolean) => (role === 'ours' ? isMet : null)

/** A directory of its own, so that no candidate sees another one's files. */
export const freshDirectory = ({ directory }: Place): string => mkdtempSync(join(directory, 'bench-'))

/** Directories with many locks in them take long to make: a candidate that has made one leaves it to the others. */
const crowded = new Map<string, string>()
const crowdKey = ({ id }: Candidate, { directory }: Place, locks: number) => `${id} ${locks} ${directory}`

/** `directory`: one in which a process that is gone has held so many locks. */
export function leaveLocks(candidate: Candidate, place: Place, locks: number, directory: string): void {
  crowded.set(crowdKey(candidate, place, locks), directory)
}

/** A directory with locks that were held and released by a process that is gone: what it looks like after a day. */
export async function directoryWithLocks(candidate: Candidate, place: Place, locks: number): Promise<string> {
  const left = crowded.get(crowdKey(candidate, place, locks))
  if (left !== undefined) return left
  const directory = freshDirectory(place)
  const agent = await Agent.open(candidate, directory)
  await agent.ask('hold', { candidate: candidate.id, count: locks })
  await agent.ask('drop', { candidate: candidate.id })
  await agent.end()
  leaveLocks(candidate, place, locks, directory)
  return directory
}

/** Between the questions, so that the files of one are not in the way of the next. */
export function emptyDirectories({ places }: Bench): void {
  const left = new Set(crowded.values())
  const all = places.flatMap(({ directory }) => readdirSync(directory).map((name) => join(directory, name)))
  removeAll(all.filter((path) => !left.has(path)))
}

/** By the system's own program: Node takes two to four times as long for thousands of files. */
export function removeAll(paths: readonly string[]): void {
  spawnSync('rm', ['-rf', '--', ...paths])
}

/** A candidate in a process of its own, ready to be asked. */
export interface Contestant {
  candidate: Candidate
  agent: Agent
}

/** Starts one process for each (--quick: one for all in Node); a candidate that cannot take part is left out, with the reason in the notes. */
export async function startEach(
  bench: Bench,
  place: Place,
  candidates: readonly Candidate[],
  notes: string[],
): Promise<Contestant[]> {
  const contestants: Contestant[] = []
  let shared: Agent | undefined
  for (const candidate of candidates) {
    try {
      const directory = freshDirectory(place)
      const sharing = candidate.program === 'node' ? shared : undefined
      if (sharing !== undefined) await sharing.openAlso(candidate, directory)
      const agent = sharing ?? (await Agent.open(candidate, directory, { floorProgram: bench.floorProgram }))
      if (bench.quick && candidate.program === 'node') shared = agent
      contestants.push({ candidate, agent })
    } catch (error) {
      notes.push(leftOut(candidate, place, error))
    }
  }
  return contestants
}

/** Several processes for one candidate, in one directory. */
export interface Team {
  candidate: Candidate
  agents: Agent[]
}

/** As many processes as there are turns to take; those in Node are shared by all candidates, because each is expensive. */
export async function startTeams(
  bench: Bench,
  place: Place,
  candidates: readonly Candidate[],
  size: number,
  notes: string[],
): Promise<Team[]> {
  const teams: Team[] = []
  let shared: Agent[] | undefined
  for (const candidate of candidates) {
    bench.progress(`starting ${size} processes for ${candidate.label}`)
    const directory = freshDirectory(place)
    try {
      if (candidate.program === 'node' && shared !== undefined) {
        for (const agent of shared) await agent.openAlso(candidate, directory)
        teams.push({ candidate, agents: shared })
        continue
      }
      const agents = await startTeam(candidate, directory, size)
      if (candidate.program === 'node') shared = agents
      teams.push({ candidate, agents })
    } catch (error) {
      notes.push(leftOut(candidate, place, error))
    }
  }
  return teams
}

async function startTeam(candidate: Candidate, directory: string, size: number): Promise<Agent[]> {
  const settled = await Promise.allSettled(Array.from({ length: size }, () => Agent.open(candidate, directory)))
  const agents = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (agents.length === size) return agents
  await Promise.all(agents.map((agent) => agent.end()))
  throw settled.find((one) => one.status === 'rejected')?.reason
}

export const leftOut = ({ label }: Candidate, { name }: Place, error: unknown) =>
  `${label} could not take part on ${name}: ${(error as Error).message}.`

/** Each in turn, again and again: A B A B …, so that whatever else the machine does hits all of them. */
export async function interleave(
  contestants: readonly Contestant[],
  place: Place,
  { mode, quick }: { mode: Mode; quick: boolean },
  notes: string[],
) {
  const { rounds, forMs, most } = quick ? { rounds: 3, forMs: 3, most: 20 } : { rounds: 40, forMs: 10, most: 500 }
  const warmUp = quick ? { forMs, most } : WARM_UP
  const measurements = contestants.map(({ candidate }): Measurement => {
    return measurementOf(candidate, place.name, `acquire + release, ${mode}`, 'µs', [])
  })
  const failed = new Set<Contestant>()
  for (let round = 0; round <= rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      if (failed.has(contestant)) continue
      try {
        const length = round === 0 ? warmUp : { forMs, most }
        const samplesUs = await contestant.agent.ask('block', { candidate: contestant.candidate.id, mode, ...length })
        if (round > 0) measurements[index]?.rounds.push(samplesUs)
      } catch (error) {
        failed.add(contestant)
        notes.push(leftOut(contestant.candidate, place, error))
      }
    }
  }
  return measurements.filter((_, index) => !failed.has(contestants[index] as Contestant))
}

/** Node compiles what it has seen a few thousand times; a program that locks rarely does not mind. */
const WARM_UP = { forMs: 300, most: 5000 }
