/**
 * Goal: nodes with different kernels exclude each other as those with the same one do: what a client keeps in its caches, and when it
 * asks the server, differs from kernel to kernel. Takeovers from a dead node take no longer, time after time.
 * Method: a lab of its own, in which A is User-mode Linux, B an emulated PC with a newer kernel, and C one with the stock kernel.
 */

import { beforeAll, describe, expect, test } from 'vitest'
import { acquiredBy, contend, NO_VIOLATIONS, prepare, violations } from '../contention.js'
import { judge, marks, report, TRUST } from '../judge.js'
import { mountSmb, startSamba } from '../lab/other-servers.js'
import { starter } from '../questions/exclusion.js'
import { askForTakeovers } from '../questions/takeover.js'
import { configuration, Driver, LOCK_KINDS, type LockKind, newDirectory, type Place, proves } from '../support.js'
import { bootOwnLab } from './own-lab.js'

const CLIENTS = ['A', 'B', 'C'] as const
/** Where processors are scarce, an emulated PC starts a program of Node in some seconds. */
const TEST_MS_MAX = 400_000
const CONTENTION_MS = 15_000
const STRESS_S = 30
const TAKEOVERS = 12
const REFUSES = 'refuses locks that a mount breaks, with the remedies'

const lab = await bootOwnLab('kernels', { accelerator: 'mixed', clients: CLIENTS.length })
const kernels = await Promise.all(CLIENTS.map(async (node) => /^[\d.]+\d/.exec(await lab.exec(node, 'uname -r'))?.[0] ?? ''))
const kernel = `Linux ${kernels[0]} (User-mode Linux), ${kernels[1]} and ${kernels[2]} (emulated PCs)`

const mixed = (place: Place): Place => ({ ...place, name: `${place.name}, different kernels`, kernel })
const V3 = mixed(configuration('3'))
const V42 = mixed(configuration('4.2'))
const smb = (options: string): Place => {
  const at = `/mnt/smb-${options.replace(/\W+/g, '-')}`
  return mixed({ name: `SMB, ${options}`, at, mountOn: (client, node) => mountSmb(client, node, at, `vers=3.1.1,${options}`) })
}
const QUIET = smb('nolease,mfsymlinks')
const LEASES = smb('mfsymlinks')

const KINDS: readonly (readonly [Place, readonly LockKind[]])[] = [
  [V3, ['hard link', 'rename', 'flock']],
  [V42, ['hard link', 'rename', 'fcntl']],
  [QUIET, ['hard link', 'symlink', 'fcntl']],
]

beforeAll(() => startSamba(lab), TEST_MS_MAX)

test('the kernels are different', () => {
  expect(new Set(kernels).size).toBe(CLIENTS.length)
})

for (const [place, kinds] of KINDS) {
  describe(`on ${place.name}`, () => {
    test.for(kinds)(
      'processes on three nodes never hold one %s lock at the same time',
      { timeout: TEST_MS_MAX },
      async (kind, context) => {
        const tell = proves(context, place, 'excludes, in the order of the tokens', kind)
        const directory = await newDirectory(lab, place, CLIENTS)
        await lab.exec('A', prepare(directory))
        const contenders = CLIENTS.map((node) => ({ start: starter(lab, node), directory, locker: LOCK_KINDS[kind] }))
        const reports = await contend(contenders, CONTENTION_MS)
        expect(violations(reports)).toEqual(NO_VIOLATIONS)
        const shares = reports.map((each) => acquiredBy([each]))
        tell(`${shares.join(' + ')} acquisitions`)
        for (const share of shares) expect(share).toBeGreaterThan(0)
      },
    )
  })
}

for (const place of [V3, V42]) {
  test(`nodes finds that all locks exclude between all of them on ${place.name}`, { timeout: TEST_MS_MAX }, async (context) => {
    proves(context, place, TRUST)
    const found = await judge(lab, place, undefined, CLIENTS)
    expect(marks(found)).toEqual(['hard link: pass', 'symlink: pass', 'rename: pass', 'flock: pass', 'fcntl: pass'])
  })
}

test('stress finds nothing wrong while processes are killed and stalled', { timeout: TEST_MS_MAX }, async (context) => {
  const tell = proves(context, V42, 'locktester stress between two nodes, with kills and stalls: nothing is wrong')
  const directory = await newDirectory(lab, V42, CLIENTS)
  const args = [directory, '--nodes', ...CLIENTS, '--procs', '1', '--chaos', '--duration', String(STRESS_S)]
  const { counts, violations: wrong, exitCode } = await report(lab, 'stress', args)
  expect(wrong).toEqual([])
  expect(exitCode).toBe(0)
  tell(`${counts.acquisitions} acquisitions, ${counts.kills} kills, ${counts.stalls} stalls, ${counts.takeovers} takeovers`)
})

test(
  'a newer client refuses hard links on SMB with leases as well, with both remedies',
  { timeout: TEST_MS_MAX },
  async (context) => {
    proves(context, LEASES, REFUSES, 'hard link')
    const directory = await newDirectory(lab, LEASES, ['B'])
    const driver = await Driver.start(lab, 'B', LOCK_KINDS['hard link'])
    const { error } = await driver.ask('tryAcquire', { path: `${directory}/lock` })
    expect(error).toMatchObject({ code: 'HARD_LINKS_UNSAFE' })
    expect(error.message).toMatch(/nolease.*use-symlinks=1 on a mount with mfsymlinks/)
    expect(await lab.exec('B', `ls -A ${directory}`)).toBe('')
    await driver.end()
  },
)

test('a newer client refuses flock on SMB, also with nolease, and advises fcntl', { timeout: TEST_MS_MAX }, async (context) => {
  proves(context, QUIET, REFUSES, 'flock')
  const directory = await newDirectory(lab, QUIET, ['B'])
  const driver = await Driver.start(lab, 'B', LOCK_KINDS.flock)
  const { error } = await driver.ask('tryAcquire', { path: `${directory}/lock` })
  expect(error).toMatchObject({ code: 'FLOCK_UNSAFE' })
  expect(error.message).toMatch(/fcntl/)
  expect(await lab.exec('B', `ls -A ${directory}`)).toBe('')
  await driver.end()
})

describe(`on ${V42.name}`, () => askForTakeovers(lab, V42, 'rename', TAKEOVERS))
