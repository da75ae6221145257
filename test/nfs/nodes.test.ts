/**
 * Goal: the commands that span hosts say of two real nodes what is so: `locktester nodes` which locks can be trusted, and
 * `locktester stress` that nothing went wrong while processes on both were killed and stalled.
 * Method: locktester runs on this machine, which does not see the mount, and reaches the nodes through the lab instead of ssh.
 */

import { afterEach, expect, test } from 'vitest'
import { conformsTo } from '../process/fixtures/locktester-schema.mjs'
import { startOnHost } from './host-program.js'
import type { GuestProgram } from './lab/guest-program.js'
import { GUEST_REPOSITORY, REPOSITORY } from './lab/paths.js'
import { type Configuration, connectLab, figure, isSoak, newDirectory, NODES, proves, V3, V3_NOLOCK, V42 } from './support.js'

const lab = await connectLab()

const TEST_MS_MAX = 300_000
const STRESS_S = figure(10, 120)

const reach = [
  ...['--ssh-command', `'${process.execPath}' --import tsx '${REPOSITORY}/test/nfs/lab/main.ts' ssh`],
  ...['--remote-command', `node ${GUEST_REPOSITORY}/bin/locktester`],
]

const started: GuestProgram[] = []
afterEach(() => {
  for (const program of started.splice(0)) if (!program.isOver) program.kill('SIGKILL')
})

/** The report, and the exit code in it. */
async function report(command: 'nodes' | 'stress', args: readonly string[]) {
  const argv = [process.execPath, `${REPOSITORY}/bin/locktester`, command, ...args, ...reach, '--json']
  const locktester = startOnHost(argv, { MOUNTLOCK_LAB_RUN: lab.runDirectory })
  started.push(locktester)
  const { code } = await locktester.end
  expect(locktester.stdout, locktester.stderr).toMatch(/^\{/)
  const found = JSON.parse(locktester.stdout)
  expect(await conformsTo(command, found)).toEqual([])
  expect(code).toBe(found.exitCode)
  return found
}

const marks = ({ kinds }: { kinds: { kind: string; mark: string }[] }) => kinds.map(({ kind, mark }) => `${kind}: ${mark}`)

async function judge(place: Configuration, kinds = ['hard-link', 'symlink', 'rename', 'flock', 'fcntl']) {
  const directory = await newDirectory(lab, place)
  const found = await report('nodes', ['--kinds', kinds.join(','), ...NODES, directory])
  expect(await lab.exec('B', `ls -A ${directory}`)).toBe('')
  return found
}

const TRUST = 'locktester nodes finds which locks can be trusted between two nodes'

for (const place of isSoak ? [V3, V42] : [V3]) {
  test(`on ${place.name} it finds that every kind excludes`, { timeout: TEST_MS_MAX }, async (context) => {
    proves(context, place, TRUST)
    const found = await judge(place)
    expect(marks(found)).toEqual(['hard link: pass', 'symlink: pass', 'rename: pass', 'flock: pass', 'fcntl: pass'])
    expect(found.exitCode).toBe(0)
  })
}

test(`on ${V3_NOLOCK.name} it finds that advisory locks do not`, { timeout: TEST_MS_MAX }, async (context) => {
  proves(context, V3_NOLOCK, TRUST)
  const found = await judge(V3_NOLOCK, ['hard-link', 'flock', 'fcntl'])
  expect(marks(found)).toEqual(['hard link: pass', 'flock: unsafe', 'fcntl: unsafe'])
})

for (const place of isSoak ? [V3, V42] : [V42]) {
  const timeout = TEST_MS_MAX + STRESS_S * 1000
  test(`on ${place.name} stress finds nothing wrong while processes are killed and stalled`, { timeout }, async (context) => {
    const tell = proves(context, place, 'locktester stress between two nodes, with kills and stalls: nothing is wrong')
    const directory = await newDirectory(lab, place)
    const args = [directory, '--nodes', ...NODES, '--procs', '2', '--chaos', '--duration', String(STRESS_S)]
    const { counts, nodes, violations, exitCode } = await report('stress', args)
    expect(violations).toEqual([])
    expect(exitCode).toBe(0)
    for (const { acquisitions } of nodes) expect(acquisitions).toBeGreaterThan(0)
    tell(`${counts.acquisitions} acquisitions, ${counts.kills} kills, ${counts.stalls} stalls, ${counts.takeovers} takeovers`)
    expect(await lab.exec('B', `ls -A ${directory}`)).toBe('')
  })
}
