/**
 * Goal: processes on two nodes never hold one lock at the same time, get it in the order of its tokens, and none starves.
 * Method: two processes on each node contend for it; inside, each creates a marker with O_EXCL and moves a chain of names on.
 */

import { describe, expect, test } from 'vitest'
import { acquiredBy, type Contender, contend, NO_VIOLATIONS, prepare, type Start, violations } from './contention.js'
import { mount } from './lab/operations.js'
import {
  ALL_KINDS,
  type Configuration,
  connectLab,
  figure,
  isSoak,
  LOCK_KINDS,
  type LockKind,
  NODES,
  newDirectory,
  program,
  proves,
  TOKEN_KINDS,
  V3,
  V3_COARSE,
  V3_LOOKUP,
  V3_SOFT,
  V3_STALE,
  V3_SYNC,
  V41,
  V42,
  V42_NOCTO,
  V42_STALE,
} from './support.js'

const lab = await connectLab()
const DURATION_MS = figure(10_000, 60_000)
const PROCESSES_PER_NODE = 2
const TEST_MS_MAX = DURATION_MS + 120_000

const starter =
  (node: 'A' | 'B'): Start =>
  (name, options) =>
    lab.start(node, { argv: program(name, options) })

async function preparedDirectory(place: Configuration): Promise<string> {
  const directory = await newDirectory(lab, place)
  await lab.exec('A', prepare(directory))
  return directory
}

const COMBINATIONS: readonly (readonly [Configuration, readonly LockKind[]])[] = [
  [V3, ALL_KINDS],
  [V42, ALL_KINDS],
  [V41, isSoak ? ALL_KINDS : ['hard link']],
  [V3_STALE, isSoak ? TOKEN_KINDS : ['symlink']],
  [V42_STALE, isSoak ? TOKEN_KINDS : ['rename']],
  [V3_COARSE, isSoak ? TOKEN_KINDS : ['hard link']],
  ...(isSoak ? [V42_NOCTO, V3_SYNC, V3_LOOKUP, V3_SOFT].map((place) => [place, TOKEN_KINDS] as const) : []),
]

for (const [place, kinds] of COMBINATIONS) {
  describe(`on ${place.name}`, () => {
    test.for(kinds)(
      'processes on two nodes never hold one %s lock at the same time',
      { timeout: TEST_MS_MAX },
      async (kind, context) => {
        const tell = proves(context, place, 'excludes, in the order of the tokens', kind)
        const directory = await preparedDirectory(place)
        const contenders = NODES.flatMap((node): Contender[] =>
          Array.from({ length: PROCESSES_PER_NODE }, () => ({ start: starter(node), directory, locker: LOCK_KINDS[kind] })),
        )
        const reports = await contend(contenders, DURATION_MS)

        expect(violations(reports)).toEqual(NO_VIOLATIONS)
        const shares = [acquiredBy(reports.slice(0, PROCESSES_PER_NODE)), acquiredBy(reports.slice(PROCESSES_PER_NODE))]
        const waitMsMax = Math.round(Math.max(...reports.map((report) => report.waitMsMax)))
        tell(`${shares.join(' + ')} acquisitions, longest wait ${waitMsMax} ms`)
        proves(context, place, 'shares it between nodes within a factor of two', kind)
        expect(Math.max(...shares), `shares ${shares}`).toBeLessThanOrEqual(2 * Math.min(...shares))
      },
    )
  })
}

describe('nodes that are set up differently', () => {
  test(
    'exclude each other on one lock: other mount points, other intervals, hard link and symlink',
    {
      timeout: TEST_MS_MAX,
    },
    async (context) => {
      const tell = proves(context, V3, 'nodes with different settings and mount points exclude each other')
      const directory = await preparedDirectory(V3)
      await mount(lab, 'B', '/mnt/elsewhere/deep', V3)
      const onA = { refreshRateMs: 500, timeoutIntervalMs: 3000, useSymlinks: false }
      const onB = { refreshRateMs: 3000, timeoutIntervalMs: 20_000, useSymlinks: true }
      const there = directory.replace(V3.at, '/mnt/elsewhere/deep')
      const reports = await contend(
        [
          { start: starter('A'), directory, locker: onA },
          { start: starter('B'), directory: there, locker: onB },
        ],
        DURATION_MS,
      )

      expect(violations(reports)).toEqual(NO_VIOLATIONS)
      tell(`${reports.map(({ acquired }) => acquired).join(' + ')} acquisitions`)
      for (const { acquired } of reports) expect(acquired).toBeGreaterThan(0)
    },
  )
})
