import { expect, it } from 'vitest'
import { exploreRandomly } from './explorer-random.js'
import { planLife, runLife } from './life.js'
import { shippingProtocol } from './protocol.js'
import { SEARCH_MS_MAX } from './search-limit.js'

const SCHEDULES = 3000

it('lives of 3 nodes with all faults keep the properties, and converge when everything heals', { timeout: SEARCH_MS_MAX }, () => {
  const { failure, schedules, acquired, operations } = exploreRandomly(
    { seed: 1, schedules: SCHEDULES, nodes: 3, acquisitions: 20 },
    shippingProtocol,
  )
  console.log(`${schedules} schedules, ${acquired} acquisitions, ${operations} file operations`)
  expect(failure === null ? null : `seed ${failure.plan.seed}: ${failure.report.violation?.message}`).toBeNull()
})

it('so do lives of 8 nodes', { timeout: SEARCH_MS_MAX }, () => {
  const { failure } = exploreRandomly({ seed: 1, schedules: 100, nodes: 8, acquisitions: 40 }, shippingProtocol)
  expect(failure === null ? null : `seed ${failure.plan.seed}: ${failure.report.violation?.message}`).toBeNull()
})

it('one seed is one life', () => {
  const plan = planLife(4711, 3, 20)
  const [first, second] = [runLife(plan, shippingProtocol, 50), runLife(plan, shippingProtocol, 50)]
  expect(second.operations).toBe(first.operations)
  expect(String(second.trace)).toBe(String(first.trace))
})
