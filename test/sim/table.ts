/** Runs what the table of the proof is made from: what was explored, and what caught what. `table-text.ts` puts it into words. */

import { exploreSet, SETS } from './exhaustive-sets.js'
import type { Setting } from './explorer-exhaustive.js'
import { CLAIMS, exploreRefusals } from './explorer-refusals.js'
import { exploreRandomly } from './explorer-random.js'
import { MUTATIONS, REFUSALS } from './mutation-list.js'
import { loadMutation, type Mutation } from './mutations.js'
import { shippingProtocol } from './protocol.js'
import { catchSpecimens } from './specimens/catch.js'

/** A system that is wrong, on purpose. */
export interface Row {
  system: string
  /** By each explorer: what it found, and after how much; `null`: it was not asked. */
  exhaustive: string | null
  random: string | null
  isCaught: boolean
  /** The set that found it. */
  set?: string
  /** Why nothing has to be found. */
  redundantBecause?: string
}

/** What became of the protocol that ships, in one set or at random. */
export interface Explored {
  name: string
  /** `no violation`, or what was found. */
  end: string
  /** How much was looked at: states and transitions, or schedules and what happened in them. */
  extent: Record<string, number>
}

export interface Results {
  sets: Explored[]
  sample: Explored
  catches: Row[]
}

export const NO_VIOLATION = 'no violation'

/** How many schedules the sampler gets to notice a missing step that only it can notice; the others are searched for exhaustively. */
export const SCHEDULES_MAX = 4000
const SCHEDULES_BESIDE = 1000
/** Where nothing is expected, a little is enough, and the smaller sets. */
const SCHEDULES_REDUNDANT = 300
const STATES_REDUNDANT = 50_000
const SCHEDULES_SHIPPING = 5000

export const count = (number: number, what: string) =>
  `${number.toLocaleString('en-US')} ${number === 1 ? what.replace(/s$/, '') : what}`

/** The set in which its absence shows; where nothing is expected, all that are not too large. */
export async function catchExhaustively({ caughtIn, ...mutation }: Mutation): Promise<Omit<Row, 'random'>> {
  const system = mutation.name
  if (caughtIn === REFUSALS) return await catchWithRefusals({ ...mutation, caughtIn })
  let explored = 0
  for (const set of SETS) {
    if (caughtIn === null ? mutation.redundantBecause === null : caughtIn !== set.name) continue
    const limited = caughtIn === null ? { ...set, statesMax: STATES_REDUNDANT } : set
    const { violation, states } = await exploreSet(limited, { ...mutation, caughtIn })
    explored += states
    if (violation !== null)
      return { system, isCaught: true, exhaustive: `${violation.property}: ${count(states, 'states')}`, set: set.name }
  }
  return { system, isCaught: false, exhaustive: explored === 0 ? null : `nothing in ${count(explored, 'states')}` }
}

/** One change after the other is done and answered with an error. */
async function catchWithRefusals(mutation: Mutation): Promise<Omit<Row, 'random'>> {
  const protocol = await loadMutation(mutation)
  let explored = 0
  for (const claim of CLAIMS)
    for (const isOneMachine of [true, false]) {
      const { lives, failure } = exploreRefusals(claim, isOneMachine, protocol)
      explored += lives
      const row = { system: mutation.name, set: REFUSALS }
      if (failure !== null) return { ...row, isCaught: true, exhaustive: `${failure.split(':')[0]}: ${count(explored, 'lives')}` }
    }
  return { system: mutation.name, isCaught: false, exhaustive: `nothing in ${count(explored, 'lives')}` }
}

export async function catchRandomly(mutation: Mutation): Promise<Omit<Row, 'exhaustive'>> {
  const isAlone = mutation.caughtIn === null
  const limit = mutation.redundantBecause !== null ? SCHEDULES_REDUNDANT : isAlone ? SCHEDULES_MAX : SCHEDULES_BESIDE
  const { failure, schedules } = exploreRandomly(
    { seed: 1, schedules: limit, nodes: 3, acquisitions: 20 },
    await loadMutation(mutation),
  )
  const caught = failure?.report.violation?.property
  const random =
    caught === undefined ? `nothing in ${count(schedules, 'schedules')}` : `${caught}: ${count(schedules, 'schedules')}`
  return { system: mutation.name, isCaught: caught !== undefined, random }
}

async function catchMutation(mutation: Mutation): Promise<Row> {
  const exhaustive = await catchExhaustively(mutation)
  const random = await catchRandomly(mutation)
  const { redundantBecause } = mutation
  const isCaught = exhaustive.isCaught || random.isCaught
  return { ...exhaustive, ...random, isCaught, ...(redundantBecause !== null && { redundantBecause }) }
}

async function exploreShipping(set: Setting): Promise<Explored> {
  const { states, transitions, isComplete, violation } = await exploreSet(set)
  const end = isComplete ? NO_VIOLATION : (violation?.message ?? 'not explored to its end')
  return { name: set.name, end, extent: { states, transitions } }
}

function sampleShipping(schedules: number): Explored {
  const { failure, ...total } = exploreRandomly({ seed: 1, schedules, nodes: 3, acquisitions: 20 }, shippingProtocol)
  const end = failure === null ? NO_VIOLATION : `seed ${failure.plan.seed}: ${failure.report.violation?.message}`
  const extent = { schedules: total.schedules, acquisitions: total.acquired, operations: total.operations }
  return { name: '3 nodes × 20, all faults', end, extent }
}

export async function runTable(): Promise<Results> {
  const tell = <Result extends object>(result: Result): Result => {
    console.error(JSON.stringify(result))
    return result
  }
  const sets: Explored[] = []
  for (const set of SETS) sets.push(tell(await exploreShipping(set)))
  const sample = tell(sampleShipping(SCHEDULES_SHIPPING))
  const catches = catchSpecimens().map(tell)
  for (const mutation of MUTATIONS) catches.push(tell(await catchMutation(mutation)))
  return { sets, sample, catches }
}
