/**
 * Goal: on SMB locks exclude between nodes, a holder keeps its lock however many processes of its node wait for it, and what cannot
 * be promised on a mount is refused there before anything is locked; doctor, nodes and the test say the same.
 * Method: Samba beside the lab's NFS server, and the kernel's cifs on both nodes, with the options that decide.
 */

import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { expectDialogue, holds } from './dialogue.js'
import { examine, judge, marks, TRUST } from './judge.js'
import type { GuestProgram } from './lab/guest-program.js'
import type { NodeName } from './lab/messages.js'
import { mountSmb, startSamba } from './lab/other-servers.js'
import { askForBothCalls } from './questions/advisory.js'
import { askForExclusion } from './questions/exclusion.js'
import { askForHandOff } from './questions/hand-off.js'
import { askForRenameRefusal } from './questions/locktester.js'
import { askForTakeover } from './questions/takeover.js'
import {
  ADVISORY_KINDS,
  connectLab,
  Driver,
  figure,
  GUEST_LOCKTESTER,
  isSoak,
  LINK_KINDS,
  LOCK_KINDS,
  type LockKind,
  newDirectory,
  PACE,
  type Place,
  proves,
} from './support.js'

const lab = await connectLab()
/** The first time it downloads and unpacks. */
const START_MS_MAX = 300_000
const NODES_MS_MAX = 300_000
const CONTENTION = { durationMs: figure(8000, 60_000), processesPerNode: figure(1, 2), isShared: false }
/** So many intervals a waiter waits in vain, while its holder's heartbeats go on. */
const INTERVALS = figure(2, 20)

const mounted = (options: string): Place => {
  const at = `/mnt/smb-${options.replace(/\W+/g, '-')}`
  return { name: `SMB, ${options}`, at, mountOn: (client, node) => mountSmb(client, node, at, `vers=3.1.1,${options}`) }
}
const LEASES = mounted('mfsymlinks')
const QUIET = mounted('nolease,mfsymlinks')
const LOCAL = mounted('nolease,nobrl')

beforeAll(() => startSamba(lab), START_MS_MAX)

const programs: GuestProgram[] = []
afterEach(() => {
  for (const program of programs.splice(0)) program.kill('SIGKILL')
})

async function start(node: NodeName, kind: LockKind): Promise<Driver> {
  const driver = await Driver.start(lab, node, LOCK_KINDS[kind])
  programs.push(driver.program)
  return driver
}

function locktester(node: NodeName, directory: string): GuestProgram {
  const argv = ['sh', '-c', `exec ${GUEST_LOCKTESTER} ${directory}`]
  const program = lab.start(node, { argv, env: { RSTUDIO_CONFIG_DIR: '/nonexistent' } })
  programs.push(program)
  return program
}

const KINDS_ON: readonly (readonly [Place, readonly LockKind[]])[] = [
  [QUIET, isSoak ? LINK_KINDS : ['hard link']],
  [LEASES, ['symlink']],
]

for (const [place, kinds] of KINDS_ON) {
  describe(`on ${place.name}`, () => {
    askForExclusion(lab, place, kinds, CONTENTION)

    test.for(kinds)('a holder keeps its %s lock while two processes of its own node wait for it', async (kind, context) => {
      proves(context, place, 'keeps a lock for which two processes of its node wait', kind)
      const path = `${await newDirectory(lab, place)}/lock`
      const [holder, ...waiters] = await Promise.all([start('A', kind), start('A', kind), start('A', kind)])
      expect(await holder.ask('acquire', { path, name: 'lock' })).toMatchObject({ held: true })
      const waitMs = INTERVALS * PACE.timeoutIntervalMs
      const waits = waiters.map((waiter) => waiter.ask('acquire', { path, name: 'lock', waitMs }, waitMs + START_MS_MAX))
      for (const { error } of await Promise.all(waits)) expect(error).toMatchObject({ code: 'LOCK_TIMEOUT' })
      expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false, failedHeartbeats: 0 })
      expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
      expect(holder.said()).not.toContainEqual(expect.objectContaining({ lost: 'lock' }))
    })

    if (!isSoak) return
    askForHandOff(lab, place, kinds, { rounds: 50 })
    askForTakeover(lab, place, kinds)
  })
}

if (isSoak) describe(`on ${QUIET.name}`, () => askForExclusion(lab, QUIET, ADVISORY_KINDS, CONTENTION))

test('a lock by hard links is refused on a mount with leases, with both remedies, and nothing is made', async (context) => {
  proves(context, LEASES, 'refuses locks that a mount breaks, with the remedies', 'hard link')
  const directory = await newDirectory(lab, LEASES)
  const driver = await start('A', 'hard link')
  const { error } = await driver.ask('tryAcquire', { path: `${directory}/lock` })
  expect(error).toMatchObject({ code: 'HARD_LINKS_UNSAFE' })
  expect(error.message).toMatch(/nolease.*use-symlinks=1 on a mount with mfsymlinks/)
  expect(await lab.exec('A', `ls -A ${directory}`)).toBe('')
})

askForBothCalls(lab, QUIET)
askForRenameRefusal(lab, QUIET)

test('an advisory lock that another node holds is busy, though the server answers EACCES', async (context) => {
  for (const kind of ['flock', 'fcntl'] as const) proves(context, QUIET, 'takes a lock that another node holds for held', kind)
  for (const kind of ['flock', 'fcntl'] as const) {
    const path = `${await newDirectory(lab, QUIET)}/lock`
    const [holder, other] = await Promise.all([start('A', kind), start('B', kind)])
    expect(await holder.ask('acquire', { path, name: 'lock' })).toMatchObject({ held: true })
    expect(await other.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: false })
    expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
    expect(await other.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
  }
})

test('doctor says of each mount what its options do, finds the collision of leases, and what to install', async (context) => {
  for (const place of [LEASES, QUIET, LOCAL]) proves(context, place, 'doctor: says what the mount options do')
  const [leases, quiet, local] = await Promise.all([examine(lab, LEASES), examine(lab, QUIET), examine(lab, LOCAL)])
  expect(leases.finding('SMB_LEASES')).toMatchObject({ severity: 'error' })
  expect(leases.finding('HEARTBEAT')).toMatchObject({ severity: 'warning', remedy: expect.stringContaining('nolease') })
  expect(leases.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: true })

  expect(quiet.finding('SMB_LEASES')).toBeUndefined()
  expect(quiet.finding('HEARTBEAT')).toMatchObject({ severity: 'ok' })
  expect(quiet.finding('ADVISORY_LOCAL')).toBeUndefined()
  expect(quiet.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })

  expect(local.finding('ADVISORY_LOCAL')).toMatchObject({ severity: 'error' })
})

test(
  'nodes finds which locks exclude, with leases and without, with nobrl and without',
  { timeout: NODES_MS_MAX },
  async (context) => {
    for (const place of [LEASES, LOCAL]) proves(context, place, TRUST)
    expect(marks(await judge(lab, LEASES, ['hard-link', 'flock']))).toEqual(['hard link: failed', 'flock: pass'])
    expect(marks(await judge(lab, LOCAL, ['hard-link', 'flock']))).toEqual(['hard link: pass', 'flock: unsafe'])
  },
)

test("locktester has the manual's dialogue with nolease, and says what is wrong on the other mounts", async (context) => {
  proves(context, QUIET, 'locktester: the two-node dialogue, to the letter')
  proves(context, LEASES, 'refuses locks that a mount breaks, with the remedies', 'hard link')
  proves(context, LOCAL, 'locktester: says that advisory locks do not exclude')
  const quiet = await newDirectory(lab, QUIET)
  await expectDialogue({ first: () => locktester('A', quiet), second: () => locktester('B', quiet) })

  const leases = locktester('A', await newDirectory(lab, LEASES))
  await leases.end
  expect(leases.stdout).toBe('* Acquired advisory lock\n* Unable to acquire link-based lock\n')
  expect(leases.stderr).toMatch(/nolease.*use-symlinks=1/)

  const local = await newDirectory(lab, LOCAL)
  await holds(locktester('A', local))
  const second = locktester('B', local)
  await second.end
  expect(second.stderr).toContain('EVERY NODE ACQUIRED IT')
})
