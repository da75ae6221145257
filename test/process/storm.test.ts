/**
 * Short storms: see test/storm/storm.ts for what happens in one, `npm run storm` for long ones. Goal: no lock kind ever
 * has two holders that are sure of it, loses an increment or a token, hangs, or cannot be had again when all is over; and a
 * lock that is known to be broken is caught by the same storm.
 */

import { describe, expect, test } from 'vitest'
import { runStorm, type StormOptions } from '../storm/storm.js'
import { remarks } from '../storm/table.js'

const SECONDS = 10
const OPTIONS: Omit<StormOptions, 'kind'> = { processes: 6, locks: 3, seconds: SECONDS, seed: 41, directory: null }
/** On a machine that is busy with other things it takes longer to get there. */
const GOAL = { acquisitions: 150, kills: 4, stalls: 4 }

describe('a storm of kills, stalls, wrong clocks and full disks', () => {
  test.each(['hard-link', 'symlink', 'rename', 'flock', 'fcntl'] as const)(
    'is survived by %s locks without two holders, a token twice, a lost increment or a process that hangs',
    async (kind) => {
      const result = await runStorm({ ...OPTIONS, kind, goal: GOAL })
      expect(result.violations.length + result.failures.length, remarks(result).join('\n')).toBe(0)
      // It was one.
      expect(result.sections.length).toBeGreaterThan(100)
      for (const fault of ['kill', 'stall']) expect(result.faults.filter(({ kind }) => kind === fault).length).toBeGreaterThan(3)
    },
    240_000,
  )

  test('catches a lock at a fixed path that is taken over by the age of its file', async () => {
    const { violations } = await runStorm({ ...OPTIONS, kind: 'specimen', goal: GOAL })
    expect(violations.map(({ rule }) => rule)).toContain('overlap')
  }, 240_000)
})
