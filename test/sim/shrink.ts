/** Makes a failing life smaller: fewer nodes, fewer acquisitions, fewer faults, as long as the same property still fails. */

import { type Faults, NO_FAULTS } from './faults.js'
import { type LifePlan, runLife } from './life.js'
import type { PropertyName } from './properties.js'
import type { ProtocolBundle } from './protocol.js'

/** Another plan is another life: so many seeds are tried before a smaller plan counts as harmless. */
const SEEDS_TRIED = 40

export function shrink(plan: LifePlan, property: PropertyName, protocol: ProtocolBundle): LifePlan {
  let smallest = plan
  for (const candidate of smaller(plan)) {
    const failing = failingSeed(candidate(smallest), property, protocol)
    if (failing !== null) smallest = failing
  }
  return smallest
}

function* smaller(plan: LifePlan): Generator<(plan: LifePlan) => LifePlan> {
  for (const acquisitions of [2, 5, 10]) yield (from) => ({ ...from, acquisitions: Math.min(from.acquisitions, acquisitions) })
  for (let nodes = 2; nodes < plan.nodes; nodes++) yield (from) => ({ ...from, nodes: Math.min(from.nodes, nodes) })
  for (const fault of Object.keys(plan.faults) as (keyof Faults)[])
    yield (from) => ({ ...from, faults: { ...from.faults, [fault]: NO_FAULTS[fault] } })
}

function failingSeed(plan: LifePlan, property: PropertyName, protocol: ProtocolBundle): LifePlan | null {
  for (let offset = 0; offset < SEEDS_TRIED; offset++) {
    const candidate = { ...plan, seed: plan.seed + offset }
    if (runLife(candidate, protocol).violation?.property === property) return candidate
  }
  return null
}
