/** Reports of runs that one machine cannot have: between two nodes that lock as they should, and between two that do not. */

import type { StormEvent } from '../../../src/cli/evidence/records.js'
import { reportOf } from '../../../src/cli/nodes/report.js'
import { page as nodesPage } from '../../../src/cli/nodes/html.js'
import type { Node } from '../../../src/cli/remote/node.js'
import { KINDS } from '../../../src/cli/shared/kinds.js'
import type { MountProfile } from '../../../src/cli/shared/mounts.js'
import { page as stressPage } from '../../../src/cli/stress/html.js'
import { outcomeOf } from '../../../src/cli/stress/outcome.js'
import { defaultSettings } from '../../../src/config/settings.js'

const NAMES = ['node1', 'node2']
const SETTINGS = { ...defaultSettings(), refreshRateMs: 1000, timeoutIntervalMs: 3000 }
const MOUNT: MountProfile = {
  type: 'nfs4',
  source: 'server:/export',
  mountPoint: '/shared',
  options: ['rw', 'relatime', 'vers=4.2', 'hard', 'proto=tcp', 'timeo=600', 'retrans=2', 'sec=sys'],
  reach: 'shared',
}
const IDENTITY = { bootId: null, container: null, uid: 1000, user: 'ann', pid: 4711, nodeVersion: 'v22.12.0' }
const NODES = NAMES.map((name) => ({
  name,
  directory: '/shared/ann',
  mount: MOUNT,
  facts: { ...IDENTITY, host: name, bootId: `boot of ${name}` },
})) as unknown as Node[]

export type Ending = 'good' | 'mixed' | 'bad'

/** The page of `locktester nodes`. `mixed`: some kinds exclude; `bad`: none does. */
export function pageOfNodes(ending: Ending): string {
  const isUnsafe = (kind: string) => ending === 'bad' || (ending === 'mixed' && (kind === 'flock' || kind === 'fcntl'))
  const results = KINDS.map((kind) => ({
    kind,
    rounds: NAMES.map((node, index) => {
      const by = NAMES[1 - index] as string
      const isHeldTwice = isUnsafe(kind)
      const attempt = {
        by,
        result: isHeldTwice ? ('acquired' as const) : ('excluded' as const),
        heldBy: isHeldTwice ? null : `process 4711 on ${node} of ann`,
        heldBefore: true,
        heldAfter: true,
        heldByBoth: isHeldTwice,
        lost: null,
        error: null,
      }
      const passing = (tookMs: number) => (isHeldTwice ? null : { to: by, tookMs })
      const passed = { handOver: passing(41), takeOver: passing(3200 + 240 * index) }
      return {
        node,
        tries: 1,
        holder: { pid: 4711, token: '1795351902122005' },
        neighbour: null,
        attempts: [attempt],
        ...passed,
        error: null,
        doubt: null,
      }
    }),
  }))
  return nodesPage(reportOf({ nodes: NODES, settings: SETTINGS, sights: [], findings: { results, limitation: null } }))
}

/** Two processes on each node take the lock in turns. One is stalled as a holder, and taken over; one is killed as a waiter. */
export function pageOfStress(ending: Ending): string {
  const names = NAMES.flatMap((node) => [`${node} 1`, `${node} 2`])
  const logs = new Map<string, StormEvent[]>(names.map((name) => [name, []]))
  const resource: Parameters<typeof outcomeOf>[0]['evidence']['resource'] = []
  let value = 0
  let isStalled = false
  for (let [turn, atMs] = [0, 200]; atMs < 9_000; turn++, atMs += 250) {
    const process = names[turn % names.length] as string
    const at = { attempt: turn, lock: 0 }
    const token = String(turn + 1)
    const events = logs.get(process) as StormEvent[]
    events.push({ ...at, type: 'asked', atMs: Math.max(0, atMs - 700) }, { ...at, type: 'acquired', atMs, token })
    events.push({ ...at, type: 'sure', atMs: atMs + 150, token })
    resource.push({ ...at, atMs: atMs + 160, process, token, written: ++value, accepted: true })
    if (process === 'node2 1' && atMs > 2_000 && !isStalled) {
      isStalled = true
      events.push({ ...at, type: 'lost', atMs: atMs + 4_000, token, how: 'signal' })
      atMs += 3_200 // until the next one takes over
    } else
      events.push(
        { ...at, type: 'releasing', atMs: atMs + 200, token },
        { ...at, type: 'released', atMs: atMs + 210, token, lost: false },
      )
  }
  if (ending === 'bad') {
    const twice = { attempt: 999, lock: 0, token: '999' }
    logs
      .get('node2 2')
      ?.push(
        { ...twice, type: 'asked', atMs: 8_900 },
        { ...twice, type: 'acquired', atMs: 9_100 },
        { ...twice, type: 'sure', atMs: 9_700 },
      )
    const other = { attempt: 998, lock: 0, token: '998' }
    logs
      .get('node1 1')
      ?.push(
        { ...other, type: 'asked', atMs: 8_900 },
        { ...other, type: 'acquired', atMs: 9_000 },
        { ...other, type: 'sure', atMs: 9_600 },
      )
  }
  const stalledMs = (logs.get('node2 1') ?? []).find(({ type }) => type === 'lost')?.atMs ?? 0
  const outcome = outcomeOf({
    kind: 'hard link',
    settings: SETTINGS,
    processesPerNode: 2,
    chaos: true,
    fromMs: 0,
    toMs: 10_000,
    nodes: NODES.map(({ name, directory, facts, mount }, index) => {
      return { name, directory, facts, mount, clockSlackMs: index * 0.8, processes: new Set([`${name} 1`, `${name} 2`]) }
    }),
    limitation: null,
    evidence: { hasTokens: true, processes: names.map((name) => ({ name, events: logs.get(name) ?? [] })), resource },
    lives: names.map((name) => ({ name, place: name, fromMs: 0, toMs: 10_000 })),
    faults: [
      { kind: 'stall', process: 'node2 1', fromMs: stalledMs - 3_900, toMs: stalledMs },
      { kind: 'kill', process: 'node1 2', fromMs: 9_300, toMs: 9_300 },
    ],
    crashes: ending === 'mixed' ? ['node1 2 ended by itself'] : [],
  })
  return stressPage(outcome)
}
