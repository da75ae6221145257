/** What was explored and what caught what: the table for the README. */

import { exploreSet, SETS } from './exhaustive-sets.js'
import type { Setting } from './explorer-exhaustive.js'
import { exploreRandomly } from './explorer-random.js'
import { MUTATIONS } from './mutation-list.js'
import { loadMutation, type Mutation } from './mutations.js'
import { shippingProtocol } from './protocol.js'
import { catchSpecimens } from './specimens/catch.js'

export interface Row {
  system: string
  /** In words: by which explorer, and which property was violated; `null`: nothing was. */
  caught: string | null
  explored: string
}

/** How far the search goes for a step whose absence must be noticed, before the sampler takes over. */
const STATES_MAX = 150_000
const SCHEDULES_MAX = 12_000
/** Where nothing is expected, a little is enough. */
const SCHEDULES_REDUNDANT = 300

/** The sets in which a missing step is looked for: the smaller ones. */
const SEARCHED = [
  '2 × 2, listings in pieces',
  '2 × 1, leases',
  '2 × 1, listings from caches, lost replies',
  '2 × 1, created, late, lost replies',
  '2 × 3, lost replies',
]

export async function catchMutation(mutation: Mutation, sets: Setting[] = SETS): Promise<Row> {
  for (const set of sets.filter(({ name }) => SEARCHED.includes(name))) {
    const { violation, states } = await exploreSet({ ...set, statesMax: STATES_MAX }, mutation)
    if (violation !== null)
      return {
        system: `without: ${mutation.name}`,
        caught: `${violation.property}, exhaustive (${set.name})`,
        explored: `${states} states`,
      }
  }
  const protocol = await loadMutation(mutation)
  const { failure, schedules } = exploreRandomly(
    { seed: 1, schedules: mutation.redundantBecause === null ? SCHEDULES_MAX : SCHEDULES_REDUNDANT, nodes: 3, acquisitions: 20 },
    protocol,
  )
  const caught = failure?.report.violation?.property
  return {
    system: `without: ${mutation.name}`,
    caught: caught === undefined ? null : `${caught}, random`,
    explored: `${schedules} schedules`,
  }
}

export async function exploreShipping(set: Setting): Promise<Row> {
  const { states, transitions, isComplete, violation } = await exploreSet(set)
  return {
    system: `ours, exhaustive: ${set.name}`,
    caught: violation?.message ?? null,
    explored: `${states} states, ${transitions} transitions${isComplete || violation !== null ? '' : ' (not all)'}`,
  }
}

export function sampleShipping(schedules: number): Row {
  const { failure, ...total } = exploreRandomly({ seed: 1, schedules, nodes: 3, acquisitions: 20 }, shippingProtocol)
  return {
    system: 'ours, random: 3 nodes × 20, all faults',
    caught: failure === null ? null : `seed ${failure.plan.seed}: ${failure.report.violation?.message}`,
    explored: `${total.schedules} schedules, ${total.acquired} acquisitions, ${total.operations} file operations`,
  }
}

export async function runTable(): Promise<Row[]> {
  const rows: Row[] = []
  for (const set of SETS) rows.push(await exploreShipping(set))
  rows.push(sampleShipping(10_000), ...(await catchSpecimens()))
  for (const mutation of MUTATIONS) rows.push(await catchMutation(mutation))
  return rows
}

export function renderTable(rows: readonly Row[]): string {
  const lines = rows.map(({ system, caught, explored }) => `| ${system} | ${caught ?? 'no violation'} | ${explored} |`)
  return ['| system | caught by | explored |', '|---|---|---|', ...lines].join('\n')
}
