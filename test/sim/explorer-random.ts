/** Runs one schedule after another, each from its own seed. */

import { type LifePlan, type LifeReport, planLife, runLife } from './life.js'
import type { ProtocolBundle } from './protocol.js'

export interface RandomOptions {
  seed: number
  schedules: number
  nodes: number
  acquisitions: number
}

export interface RandomReport {
  schedules: number
  acquired: number
  operations: number
  failure: { plan: LifePlan; report: LifeReport } | null
}

export function exploreRandomly(options: RandomOptions, protocol: ProtocolBundle): RandomReport {
  const total: RandomReport = { schedules: 0, acquired: 0, operations: 0, failure: null }
  for (let index = 0; index < options.schedules; index++) {
    const plan = planLife(options.seed + index, options.nodes, options.acquisitions)
    const report = runLife(plan, protocol)
    total.schedules++
    total.acquired += report.acquired
    total.operations += report.operations
    if (report.violation !== null) return { ...total, failure: { plan, report } }
  }
  return total
}
