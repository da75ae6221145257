/**
 * Goal: on CephFS locks exclude between nodes and are taken over, and doctor says what is so: that flock and fcntl do not see each
 * other, and that a cluster which has not counted its space is not full.
 * Method: a monitor, an OSD in memory and an mds beside the NFS server of a lab of its own, and the kernel's client on both nodes.
 */

import { beforeAll, expect, test } from 'vitest'
import { examine, judge, marks, TRUST } from '../judge.js'
import { CEPH_KEPT_MS, CEPH_SERVER_MB, mountCephFs, startCeph } from '../lab/other-servers.js'
import { askForBothCalls } from '../questions/advisory.js'
import { askForExclusion } from '../questions/exclusion.js'
import { askForHandOff } from '../questions/hand-off.js'
import { askForDialogue, askForRenameRefusal } from '../questions/locktester.js'
import { askForTakeover } from '../questions/takeover.js'
import { ADVISORY_KINDS, Driver, LINK_KINDS, LOCK_KINDS, type LockKind, newDirectory, type Place, proves } from '../support.js'
import { bootOwnLab } from './own-lab.js'

const lab = await bootOwnLab('cephfs', { serverMb: CEPH_SERVER_MB })
/** The first time it downloads and unpacks. */
const START_MS_MAX = 600_000
const NODES_MS_MAX = 300_000
const CONTENTION = { durationMs: 10_000, processesPerNode: 2, isShared: false }

const PLACE: Place = { name: 'CephFS', at: '/mnt/cephfs', mountOn: (client, node) => mountCephFs(client, node, PLACE.at) }
/** Renaming is refused there. */
const KINDS: readonly LockKind[] = [...LINK_KINDS, ...ADVISORY_KINDS]

beforeAll(() => startCeph(lab), START_MS_MAX)

askForExclusion(lab, PLACE, KINDS, CONTENTION)
askForHandOff(lab, PLACE, KINDS, { rounds: 3 })
askForRenameRefusal(lab, PLACE)
askForDialogue(lab, PLACE)
askForBothCalls(lab, PLACE)

test('flock and fcntl do not see each other, on one node and between two', async (context) => {
  proves(context, PLACE, 'doctor: says that flock and fcntl do not see each other')
  const path = `${await newDirectory(lab, PLACE)}/lock`
  const drivers = await Promise.all([
    Driver.start(lab, 'A', LOCK_KINDS.flock),
    Driver.start(lab, 'A', LOCK_KINDS.fcntl),
    Driver.start(lab, 'B', LOCK_KINDS.fcntl),
  ])
  const [flock, ownFcntl, fcntl] = drivers
  expect(await flock.ask('acquire', { path, name: 'lock' })).toMatchObject({ held: true })
  expect(await ownFcntl.ask('acquire', { path, name: 'lock' })).toMatchObject({ held: true })
  expect(await fcntl.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: false })
  expect(await ownFcntl.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
  expect(await fcntl.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
  await Promise.all(drivers.map((driver) => driver.end()))

  const { finding } = await examine(lab, PLACE)
  expect(finding('KNOWN')).toMatchObject({
    seen: expect.stringContaining('flock and fcntl exclude other nodes, and do not see each other'),
  })
})

test('doctor does not call a cluster full that has not counted its space, and recommends what works', async (context) => {
  proves(context, PLACE, 'doctor: says what it is')
  expect(await lab.exec('A', `stat -f -c '%b %a' ${PLACE.at}`)).toBe('0 0\n')
  const { finding, recommendation } = await examine(lab, PLACE)
  expect(finding('FILE_SYSTEM')).toMatchObject({ severity: 'ok', seen: expect.stringMatching(/^ceph \(shared; CephFS\), /) })
  expect(finding('CEPHFS_SESSIONS')).toMatchObject({ severity: 'warning', remedy: expect.stringContaining('session_timeout') })
  expect(finding('SPACE')).toMatchObject({ severity: 'ok' })
  for (const code of ['HARD_LINK', 'SYMLINK', 'HEARTBEAT']) expect(finding(code), code).toMatchObject({ severity: 'ok' })
  expect(recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })
})

test('nodes finds that all locks but those by renaming exclude', { timeout: NODES_MS_MAX }, async (context) => {
  proves(context, PLACE, TRUST)
  const kinds = ['hard-link', 'symlink', 'flock', 'fcntl']
  expect(marks(await judge(lab, PLACE, kinds))).toEqual(['hard link: pass', 'symlink: pass', 'flock: pass', 'fcntl: pass'])
})

askForTakeover(lab, PLACE, LINK_KINDS, { keptMs: CEPH_KEPT_MS })
