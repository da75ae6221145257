/** What was explored and what caught what: the table for the README. */

import { readFileSync, writeFileSync } from 'node:fs'
import { exploreSet, SETS } from './exhaustive-sets.js'
import type { Setting } from './explorer-exhaustive.js'
import { exploreRandomly } from './explorer-random.js'
import { MUTATIONS } from './mutation-list.js'
import { loadMutation, type Mutation } from './mutations.js'
import { shippingProtocol } from './protocol.js'
import { catchSpecimens } from './specimens/catch.js'

export interface Row {
  system: string
  /** By each explorer: what it found, and after how much; `null`: it was not asked. */
  exhaustive: string | null
  random: string | null
  isCaught: boolean
}

/** How many schedules the sampler gets to notice a missing step that only it can notice; the others are searched for exhaustively. */
export const SCHEDULES_MAX = 4000
const SCHEDULES_BESIDE = 1000
/** Where nothing is expected, a little is enough, and the smaller sets. */
const SCHEDULES_REDUNDANT = 300
const STATES_REDUNDANT = 50_000
const SCHEDULES_SHIPPING = 5000

const count = (number: number, what: string) => `${number.toLocaleString('en-US')} ${what}`

/** The set in which its absence shows; where nothing is expected, all that are not too large. */
export async function catchExhaustively({ caughtIn, ...mutation }: Mutation): Promise<Omit<Row, 'random'>> {
  const system = `without: ${mutation.name}`
  let explored = 0
  for (const set of SETS) {
    if (caughtIn === null ? mutation.redundantBecause === null : caughtIn !== set.name) continue
    const limited = caughtIn === null ? { ...set, statesMax: STATES_REDUNDANT } : set
    const { violation, states } = await exploreSet(limited, { ...mutation, caughtIn })
    explored += states
    if (violation !== null)
      return { system, isCaught: true, exhaustive: `${violation.property}: ${count(states, 'states')} (${set.name})` }
  }
  return { system, isCaught: false, exhaustive: explored === 0 ? null : `nothing in ${count(explored, 'states')}` }
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
  return { system: `without: ${mutation.name}`, isCaught: caught !== undefined, random }
}

async function catchMutation(mutation: Mutation): Promise<Row> {
  const exhaustive = await catchExhaustively(mutation)
  const random = await catchRandomly(mutation)
  const why = mutation.redundantBecause === null ? '' : ` (redundant: ${mutation.redundantBecause})`
  return { ...exhaustive, ...random, system: exhaustive.system + why, isCaught: exhaustive.isCaught || random.isCaught }
}

async function exploreShipping(set: Setting): Promise<Row> {
  const { states, transitions, isComplete, violation } = await exploreSet(set)
  const end = isComplete ? 'no violation' : (violation?.message ?? 'not explored to its end')
  const exhaustive = `${end}: ${count(states, 'states')}, ${count(transitions, 'transitions')}`
  return { system: `mountlock, ${set.name}`, exhaustive, random: null, isCaught: violation !== null }
}

function sampleShipping(schedules: number): Row {
  const { failure, ...total } = exploreRandomly({ seed: 1, schedules, nodes: 3, acquisitions: 20 }, shippingProtocol)
  const end = failure === null ? 'no violation' : `seed ${failure.plan.seed}: ${failure.report.violation?.message}`
  const explored = [
    count(total.schedules, 'schedules'),
    count(total.acquired, 'acquisitions'),
    count(total.operations, 'operations'),
  ]
  return {
    system: 'mountlock, 3 nodes × 20, all faults',
    exhaustive: null,
    random: `${end}: ${explored.join(', ')}`,
    isCaught: failure !== null,
  }
}

export async function runTable(): Promise<Row[]> {
  const rows: Row[] = []
  const tell = (row: Row) => {
    rows.push(row)
    console.error(rowText(row))
  }
  for (const set of SETS) tell(await exploreShipping(set))
  tell(sampleShipping(SCHEDULES_SHIPPING))
  for (const row of catchSpecimens()) tell(row)
  for (const mutation of MUTATIONS) tell(await catchMutation(mutation))
  return rows
}

const rowText = ({ system, exhaustive, random }: Row) => `| ${system} | ${exhaustive ?? '–'} | ${random ?? '–'} |`

const SETS_SAY =
  'Sets are named after processes × acquisitions. In each: every interleaving, a crash anywhere, any lock judged dead at any moment (but not in the sets about leases, time, cached names, breaking, pruning and changes of type, unless they say so: there only a silence convicts, if time passes at all), and clean-up by anybody at any time (but by those who do it where the lock is taken away).'

export function renderTable(rows: readonly Row[], date: Date): string {
  return [
    `Run on ${date.toISOString().slice(0, 10)} with Node.js ${process.version}. ${SETS_SAY}`,
    '',
    '| system | exhaustive | random |',
    '|---|---|---|',
    ...rows.map(rowText),
  ].join('\n')
}

const BEGIN = '<!-- proof table -->'
const END = '<!-- /proof table -->'

/** Replaces the table in a document that has a place for it. */
export function writeTable(path: string, table: string): void {
  const text = readFileSync(path, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`Expected ${path} to contain ${BEGIN} and ${END}`)
  writeFileSync(path, `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`)
}
