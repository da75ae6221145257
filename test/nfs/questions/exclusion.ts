/** Processes on several nodes contend for one lock: does it ever have two holders? Asked of every mount of the lab. */

import { expect, test } from 'vitest'
import { acquiredBy, type Contender, contend, NO_VIOLATIONS, prepare, type Start, violations } from '../contention.js'
import type { LabClient } from '../lab/client.js'
import type { NodeName } from '../lab/messages.js'
import { LOCKERS, newDirectory, NODES, type Place, program, proves } from '../support.js'

export interface Contention {
  durationMs: number
  processesPerNode: number
  /** Whether each node must have a fair part of it: where the machine does nothing else meanwhile. */
  isShared: boolean
  /** Two of them, unless it says more. */
  nodes?: readonly NodeName[]
}

const IN_WORDS = ['no', 'one', 'two', 'three', 'four']

/** What a process of Node takes to start on a busy machine, for each contender; and mounting. */
const START_MS_MAX = 120_000

export const starter =
  (lab: LabClient, node: NodeName): Start =>
  (name, options) =>
    lab.start(node, { argv: program(name, options) })

export async function preparedDirectory(lab: LabClient, place: Place, nodes: readonly NodeName[] = NODES): Promise<string> {
  const directory = await newDirectory(lab, place, nodes)
  await lab.exec('A', prepare(directory))
  return directory
}

export function askForExclusion(
  lab: LabClient,
  place: Place,
  kinds: readonly (keyof typeof LOCKERS)[],
  contention: Contention,
): void {
  const { durationMs, processesPerNode, isShared, nodes = NODES } = contention
  test.for(kinds)(
    `processes on ${IN_WORDS[nodes.length]} nodes never hold one %s lock at the same time`,
    { timeout: durationMs + START_MS_MAX },
    async (kind, context) => {
      const tell = proves(context, place, 'excludes, in the order of the tokens', kind)
      const directory = await preparedDirectory(lab, place, nodes)
      const contenders = nodes.flatMap((node): Contender[] =>
        Array.from({ length: processesPerNode }, () => ({ start: starter(lab, node), directory, locker: LOCKERS[kind] })),
      )
      const reports = await contend(contenders, durationMs)

      expect(violations(reports)).toEqual(NO_VIOLATIONS)
      const ofNode = (index: number) => reports.slice(index * processesPerNode, (index + 1) * processesPerNode)
      const shares = nodes.map((_, index) => acquiredBy(ofNode(index)))
      const waitMsMax = Math.round(Math.max(...reports.map((report) => report.waitMsMax)))
      tell(`${shares.join(' + ')} acquisitions, longest wait ${waitMsMax} ms`)
      for (const share of shares) expect(share).toBeGreaterThan(0)
      if (!isShared) return
      proves(context, place, 'shares the lock between nodes: none has it more than twice as often as another', kind)
      expect(Math.max(...shares), `shares ${shares}`).toBeLessThanOrEqual(2 * Math.min(...shares))
    },
  )
}
