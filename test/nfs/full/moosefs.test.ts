/**
 * Goal: on MooseFS, whose client is a program behind FUSE, locks exclude between nodes, and the commands say what is so: what it is,
 * and which advisory locks its options keep on a node.
 * Method: a master and one chunkserver beside the NFS server of a lab of its own, whose server has the memory for them, and
 * mfsmount on both nodes, as it is by default and with the options that keep advisory locks local.
 */

import { beforeAll, expect, test } from 'vitest'
import { holds } from '../dialogue.js'
import { examine, judge, marks, TRUST } from '../judge.js'
import { MOOSEFS_SERVER_MB, mountMooseFs, startMooseFs } from '../lab/other-servers.js'
import { askForBothCalls } from '../questions/advisory.js'
import { askForExclusion } from '../questions/exclusion.js'
import { askForHandOff } from '../questions/hand-off.js'
import { askForDialogue, askForRenameRefusal, locktesterOn } from '../questions/locktester.js'
import { askForTakeover } from '../questions/takeover.js'
import { LINK_KINDS, type LockKind, newDirectory, type Place, proves } from '../support.js'
import { bootOwnLab } from './own-lab.js'

const lab = await bootOwnLab('moosefs', { serverMb: MOOSEFS_SERVER_MB })
/** The first time it downloads and unpacks. */
const START_MS_MAX = 300_000
const NODES_MS_MAX = 300_000
const CONTENTION = { durationMs: 10_000, processesPerNode: 2, isShared: false }

const mounted = (options: string, at: string): Place => ({
  name: `MooseFS${options && `, ${options}`}`,
  at,
  mountOn: (client, node) => mountMooseFs(client, node, at, options || 'mfscachemode=AUTO'),
})
const USUAL = mounted('', '/mnt/moosefs')
const LOCAL = mounted('mfsnobsdlocks,mfsnoposixlocks', '/mnt/moosefs-local')

/** Renaming is refused there. */
const KINDS: readonly LockKind[] = ['hard link', 'symlink', 'flock', 'fcntl']

beforeAll(() => startMooseFs(lab), START_MS_MAX)

askForExclusion(lab, USUAL, KINDS, CONTENTION)
askForHandOff(lab, USUAL, KINDS, { rounds: 3 })
askForTakeover(lab, USUAL, LINK_KINDS)

askForRenameRefusal(lab, USUAL)
askForDialogue(lab, USUAL)
askForBothCalls(lab, USUAL)

test('doctor knows it by its source, says which options it cannot see, and recommends what works', async (context) => {
  proves(context, USUAL, 'doctor: says what it is')
  const { finding, recommendation } = await examine(lab, USUAL)
  expect(finding('FILE_SYSTEM')).toMatchObject({ severity: 'ok', seen: expect.stringMatching(/^fuse \(shared; MooseFS\), mfs#/) })
  expect(finding('MOOSEFS')).toMatchObject({ severity: 'note', remedy: expect.stringContaining('locktester nodes') })
  expect(finding('MOOSEFS')?.breaks).toMatch(/mfsnobsdlocks or mfsnoposixlocks/)
  for (const code of ['HARD_LINK', 'SYMLINK', 'HEARTBEAT', 'SPACE']) expect(finding(code), code).toMatchObject({ severity: 'ok' })
  for (const code of ['FUSE', 'UNKNOWN']) expect(finding(code), code).toBeUndefined()
  expect(recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })
})

test(
  'nodes finds that all locks exclude, and with the options for it that advisory ones do not',
  { timeout: NODES_MS_MAX },
  async (context) => {
    for (const place of [USUAL, LOCAL]) proves(context, place, TRUST)
    const kinds = ['hard-link', 'flock', 'fcntl']
    expect(marks(await judge(lab, USUAL, kinds))).toEqual(['hard link: pass', 'flock: pass', 'fcntl: pass'])
    expect(marks(await judge(lab, LOCAL, kinds))).toEqual(['hard link: pass', 'flock: unsafe', 'fcntl: unsafe'])
  },
)

test('locktester says that advisory locks which stay on a node do not exclude', async (context) => {
  proves(context, LOCAL, 'locktester: says that advisory locks do not exclude')
  const directory = await newDirectory(lab, LOCAL)
  const first = locktesterOn(lab, 'A', directory)
  await holds(first)
  const second = locktesterOn(lab, 'B', directory)
  await second.end
  expect(second.stderr).toContain('EVERY NODE ACQUIRED IT')
  first.kill('SIGINT')
  await first.end
})
