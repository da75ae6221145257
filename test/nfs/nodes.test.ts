/**
 * Goal: the commands that span hosts say of two real nodes what is so: `locktester nodes` which locks can be trusted, and
 * `locktester stress` that nothing went wrong while processes on both were killed and stalled.
 * Method: locktester runs on this machine, which does not see the mount, and reaches the nodes through the lab instead of ssh.
 */

import { expect, test } from 'vitest'
import { judge, marks, report, TRUST } from './judge.js'
import { connectLab, figure, isSoak, newDirectory, NODES, proves, V3, V3_NOLOCK, V42 } from './support.js'

const lab = await connectLab()

const TEST_MS_MAX = 300_000
const STRESS_S = figure(10, 120)

for (const place of isSoak ? [V3, V42] : [V3]) {
  test(`on ${place.name} it finds that every kind excludes`, { timeout: TEST_MS_MAX }, async (context) => {
    proves(context, place, TRUST)
    const found = await judge(lab, place)
    expect(marks(found)).toEqual(['hard link: pass', 'symlink: pass', 'rename: pass', 'flock: pass', 'fcntl: pass'])
    expect(found.exitCode).toBe(0)
  })
}

test(`on ${V3_NOLOCK.name} it finds that advisory locks do not`, { timeout: TEST_MS_MAX }, async (context) => {
  proves(context, V3_NOLOCK, TRUST)
  const found = await judge(lab, V3_NOLOCK, ['hard-link', 'flock', 'fcntl'])
  expect(marks(found)).toEqual(['hard link: pass', 'flock: unsafe', 'fcntl: unsafe'])
})

for (const place of isSoak ? [V3, V42] : [V42]) {
  const timeout = TEST_MS_MAX + STRESS_S * 1000
  test(`on ${place.name} stress finds nothing wrong while processes are killed and stalled`, { timeout }, async (context) => {
    const tell = proves(context, place, 'locktester stress between two nodes, with kills and stalls: nothing is wrong')
    const directory = await newDirectory(lab, place)
    const args = [directory, '--nodes', ...NODES, '--procs', '2', '--chaos', '--duration', String(STRESS_S)]
    const { counts, nodes, violations, exitCode } = await report(lab, 'stress', args)
    expect(violations).toEqual([])
    expect(exitCode).toBe(0)
    for (const { acquisitions } of nodes) expect(acquisitions).toBeGreaterThan(0)
    tell(`${counts.acquisitions} acquisitions, ${counts.kills} kills, ${counts.stalls} stalls, ${counts.takeovers} takeovers`)
    expect(await lab.exec('B', `ls -A ${directory}`)).toBe('')
  })
}
