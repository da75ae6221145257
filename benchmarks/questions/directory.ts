/** Does a lock cost more in a directory that is full of other files, or of other locks? */

import { writeFileSync } from 'node:fs'
import { Agent } from '../agents.js'
import {
  type Bench,
  type Contestant,
  contestants,
  directoryWithLocks,
  freshDirectory,
  interleave,
  leftOut,
  type Place,
  type Question,
} from '../bench.js'
import type { Candidate } from '../candidate.js'
import { type Answer, emptyAnswer, type Measurement, missingRow, type Row, ratioRow } from '../result.js'
import { ratioOfRounds } from '../statistics.js'

const CHANGE_MAX = 0.2

export const directory: Question = {
  id: 'directory',
  title: 'Crowded directories',
  about: 'the cycle in an empty directory, next to 100,000 other files, and next to 10,000 other locks',
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const [place] = bench.places
  const [files, locks] = bench.quick ? [200, 50] : [100_000, 10_000]
  const crowded = freshDirectory(place)
  bench.progress(`making ${files} files`)
  for (let number = 0; number < files; number++) writeFileSync(`${crowded}/file-${number}`, '')
  for (const candidate of contestants(bench, 'names', 'holds')) {
    // What others do in a crowded directory is their own affair.
    if (candidate.role !== 'ours') continue
    try {
      bench.progress(`${candidate.label}: filling the directories`)
      const busy = await directoryWithLocks(candidate, place, locks)
      const directories = { empty: freshDirectory(place), [`${files} other files`]: crowded, [`${locks} other locks`]: busy }
      const measurements = await measure(bench, candidate, place, directories, answer.notes)
      answer.measurements.push(...measurements)
      answer.rows.push(...judge(candidate, place, measurements))
    } catch (error) {
      answer.notes.push(leftOut(candidate, place, error))
    }
  }
  answer.plots.push({ kind: 'distribution', title: 'the same cycle in three directories', measurements: answer.measurements })
  answer.notes.push('The three directories take turns, each with a process of its own.')
  return answer
}

async function measure(
  bench: Bench,
  candidate: Candidate,
  place: Place,
  directories: Record<string, string>,
  notes: string[],
): Promise<Measurement[]> {
  const names = Object.keys(directories)
  const started: Contestant[] = []
  try {
    for (const where of Object.values(directories)) started.push({ candidate, agent: await Agent.open(candidate, where) })
    const measured = await interleave(started, place, { mode: 'blocking', quick: bench.quick }, notes)
    return measured.map((one, index): Measurement => ({
      ...one,
      label: `${one.label}, ${names[index]}`,
      of: `${one.of}, ${names[index]}`,
    }))
  } finally {
    await Promise.all(started.map(({ agent }) => agent.end()))
  }
}

function judge({ label }: Candidate, place: Place, [empty, ...crowded]: readonly Measurement[]): Row[] {
  return crowded.map((measurement) => {
    const where = measurement.label.slice(label.length + 2)
    const row = { question: `cycle next to ${where}`, subject: label, place: place.name }
    const target = 'unchanged (± 20 %)'
    if (empty === undefined) return missingRow(row, target, 'the empty directory could not be measured')
    const reached = (ratio: number) => Math.abs(ratio - 1) <= CHANGE_MAX
    return ratioRow(row, ratioOfRounds(measurement.rounds, empty.rounds), { words: 'the time in an empty one', target, reached })
  })
}
