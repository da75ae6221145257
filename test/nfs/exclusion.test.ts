/**
 * Goal: processes on two nodes never hold one lock at the same time, get it in the order of its tokens, and none starves.
 * Method: two processes on each node contend for it; inside, each creates a marker with O_EXCL and moves a chain of names on.
 */

import { describe, expect, test } from 'vitest'
import { contend, NO_VIOLATIONS, violations } from './contention.js'
import { mount } from './lab/operations.js'
import { askForExclusion, preparedDirectory, starter } from './questions/exclusion.js'
import {
  ALL_KINDS,
  type Configuration,
  connectLab,
  figure,
  isSoak,
  type LockKind,
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
const CONTENTION = { durationMs: DURATION_MS, processesPerNode: 2, isShared: true }
const TEST_MS_MAX = DURATION_MS + 120_000

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
  describe(`on ${place.name}`, () => askForExclusion(lab, place, kinds, CONTENTION))
}

describe('nodes that are set up differently', () => {
  test(
    'exclude each other on one lock: other mount points, other intervals, hard link and symlink',
    {
      timeout: TEST_MS_MAX,
    },
    async (context) => {
      const tell = proves(context, V3, 'nodes with different settings and mount points exclude each other')
      const directory = await preparedDirectory(lab, V3)
      await mount(lab, 'B', '/mnt/elsewhere/deep', V3)
      const onA = { refreshRateMs: 500, timeoutIntervalMs: 3000, useSymlinks: false }
      const onB = { refreshRateMs: 3000, timeoutIntervalMs: 20_000, useSymlinks: true }
      const there = directory.replace(V3.at, '/mnt/elsewhere/deep')
      const reports = await contend(
        [
          { start: starter(lab, 'A'), directory, locker: onA },
          { start: starter(lab, 'B'), directory: there, locker: onB },
        ],
        DURATION_MS,
      )

      expect(violations(reports)).toEqual(NO_VIOLATIONS)
      tell(`${reports.map(({ acquired }) => acquired).join(' + ')} acquisitions`)
      for (const { acquired } of reports) expect(acquired).toBeGreaterThan(0)
    },
  )
})
