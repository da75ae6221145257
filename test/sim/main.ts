/**
 * `npx tsx test/sim/main.ts --seed 1 --schedules 10000 [--nodes 3] [--acquisitions 20]` explores at random;
 * `--mutation <part of its name>` does so with a safety step removed; `--replay '<plan>'` shows one life again;
 * `--table` prints what catches what, as Markdown; `--table --write docs/tested.md` puts it there in short, and in full into proof.md beside it.
 */

import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { exploreRandomly } from './explorer-random.js'
import { type LifePlan, runLife } from './life.js'
import { MUTATIONS } from './mutation-list.js'
import { loadMutation } from './mutations.js'
import { type ProtocolBundle, shippingProtocol } from './protocol.js'
import { shrink } from './shrink.js'
import { runTable } from './table.js'
import { fullTable, shortTable, writeTable } from './table-text.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    schedules: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '3' },
    acquisitions: { type: 'string', default: '20' },
    mutation: { type: 'string' },
    replay: { type: 'string' },
    table: { type: 'boolean', default: false },
    write: { type: 'string' },
  },
})

const TRACE_LINES = 60

function show(plan: LifePlan, protocol: ProtocolBundle): void {
  const { violation, trace } = runLife(plan, protocol, TRACE_LINES)
  console.log(`${trace}\n${violation?.message ?? 'no violation'}`)
  const mutation = values.mutation === undefined ? '' : `--mutation '${values.mutation}' `
  console.log(`\nReplay: npx tsx test/sim/main.ts ${mutation}--replay '${JSON.stringify(plan)}'`)
}

function explore(protocol: ProtocolBundle): void {
  const [seed, schedules, nodes, acquisitions] = [values.seed, values.schedules, values.nodes, values.acquisitions].map(
    Number,
  ) as [number, number, number, number]
  const beganMs = performance.now()
  const beganCpu = process.cpuUsage()
  const { failure, ...total } = exploreRandomly({ seed, schedules, nodes, acquisitions }, protocol)
  const perMinute = Math.round((total.schedules / (performance.now() - beganMs)) * 60_000)
  const { user, system } = process.cpuUsage(beganCpu)
  const perCpuMinute = Math.round((total.schedules / (user + system)) * 60e6)
  console.log(
    `${total.schedules} schedules (${perMinute} a minute, ${perCpuMinute} a minute of processor time), ` +
      `${total.acquired} acquisitions, ${total.operations} file operations`,
  )
  if (failure === null) return console.log('no violation')
  process.exitCode = 1
  const { violation } = failure.report
  console.log(`seed ${failure.plan.seed}: ${violation?.message}\n`)
  if (violation !== null) show(shrink(failure.plan, violation.property, protocol), protocol)
}

async function main(): Promise<void> {
  if (values.table) {
    const [results, when] = [await runTable(), new Date()]
    if (values.write === undefined) return console.log(fullTable(results, when))
    writeTable(values.write, shortTable(results, when))
    return writeTable(join(dirname(values.write), 'proof.md'), fullTable(results, when))
  }
  const mutation = MUTATIONS.find(({ name }) => values.mutation !== undefined && name.includes(values.mutation))
  if (values.mutation !== undefined && mutation === undefined)
    throw new RangeError(`Expected --mutation to be one of: ${MUTATIONS.map(({ name }) => name).join('; ')}`)
  const protocol = mutation === undefined ? shippingProtocol : await loadMutation(mutation)
  if (values.replay === undefined) explore(protocol)
  else show(JSON.parse(values.replay) as LifePlan, protocol)
}

void main()
