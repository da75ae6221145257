/** What every question is given: where to measure, whom, and how thoroughly; and the measuring that several of them share. */

import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { Agent } from './agents.js'
import type { Ability, Candidate, Family } from './candidate.js'
import { CANDIDATES } from './peers.mjs'
import type { Mode } from './requests.js'
import type { Answer, Measurement } from './result.js'

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

/** Who takes part in a question. */
export function contestants({ peers }: Bench, family: Family | null, ability: Ability): Candidate[] {
  return CANDIDATES.filter(
    (one) =>
      one.can.includes(ability) &&
      (family === null || one.family === family) &&
      (one.role !== 'peer' || peers === null || peers.has(one.id)),
  )
}

/** A directory of its own, so that nobody sees another one's files. */
export const freshDirectory = ({ directory }: Place): string => mkdtempSync(join(directory, 'bench-'))

/** A candidate in a process of its own, ready to be asked. */
export interface Contestant {
  candidate: Candidate
  agent: Agent
}

/** Starts one process for each (--quick: one for all in Node); who cannot take part is left out, with the reason in the notes. */
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
export async function startTeam(candidate: Candidate, directory: string, size: number): Promise<Agent[]> {
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
  const measurements = contestants.map(({ candidate: { id, label, role } }): Measurement => {
    return { candidate: id, label, role, place: place.name, of: `acquire + release, ${mode}`, unit: 'µs', rounds: [] }
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

/** Node compiles what it has seen a few thousand times; whoever locks rarely does not mind. */
const WARM_UP = { forMs: 300, most: 5000 }
