/**
 * Goal: four nodes exclude each other as two do, and `locktester nodes` and `locktester stress` say so of all of them.
 * Method: a lab of its own, with four nodes of the same kernel.
 */

import { describe, expect, test } from 'vitest'
import { judge, marks, report, TRUST } from '../judge.js'
import { askForExclusion } from '../questions/exclusion.js'
import { newDirectory, type Place, proves, TOKEN_KINDS, V3, V42 } from '../support.js'
import { bootOwnLab } from './own-lab.js'

const CLIENTS = ['A', 'B', 'C', 'D'] as const
const CONTENTION = { durationMs: 10_000, processesPerNode: 1, isShared: false, nodes: CLIENTS }
const TEST_MS_MAX = 300_000
const STRESS_S = 20

const lab = await bootOwnLab('four-nodes', { clients: CLIENTS.length })

const between = (place: Place): Place => ({ ...place, name: `${place.name}, four nodes` })

for (const place of [V3, V42].map(between)) {
  describe(`on ${place.name}`, () => {
    askForExclusion(lab, place, TOKEN_KINDS, CONTENTION)

    test('nodes finds that all locks exclude between all of them', { timeout: TEST_MS_MAX }, async (context) => {
      proves(context, place, TRUST)
      const found = await judge(lab, place, undefined, CLIENTS)
      expect(marks(found)).toEqual(['hard link: pass', 'symlink: pass', 'rename: pass', 'flock: pass', 'fcntl: pass'])
      expect(found.exitCode).toBe(0)
    })

    test('stress finds nothing wrong while processes are killed and stalled', { timeout: TEST_MS_MAX }, async (context) => {
      const tell = proves(context, place, 'locktester stress between two nodes, with kills and stalls: nothing is wrong')
      const directory = await newDirectory(lab, place, CLIENTS)
      const args = [directory, '--nodes', ...CLIENTS, '--procs', '1', '--chaos', '--duration', String(STRESS_S)]
      const { counts, nodes, violations, exitCode } = await report(lab, 'stress', args)
      expect(violations).toEqual([])
      expect(exitCode).toBe(0)
      expect(nodes).toHaveLength(CLIENTS.length)
      for (const { acquisitions } of nodes) expect(acquisitions).toBeGreaterThan(0)
      tell(`${counts.acquisitions} acquisitions, ${counts.kills} kills, ${counts.stalls} stalls, ${counts.takeovers} takeovers`)
    })
  })
}
