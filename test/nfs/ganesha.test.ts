/**
 * Goal: NFS-Ganesha, which keeps its locks in a program of its own, does for locks what the kernel's server does.
 * Method: it takes the place of the kernel's server on the same disk, and is asked the same questions.
 */

import { afterAll, beforeAll, describe } from 'vitest'
import { killGanesha, startGanesha } from './lab/other-servers.js'
import { unmountNfs } from './lab/operations.js'
import { askForBothCalls } from './questions/advisory.js'
import { askForExclusion } from './questions/exclusion.js'
import { askForHandOff } from './questions/hand-off.js'
import { askForRestart } from './questions/restart.js'
import { askForTakeover } from './questions/takeover.js'
import { ALL_KINDS, configuration, connectLab, figure, isSoak, type LockKind, NODES, TOKEN_KINDS } from './support.js'

const lab = await connectLab()
/** The first time it downloads and unpacks. */
const START_MS_MAX = 300_000
const CONTENTION = { durationMs: figure(6000, 60_000), processesPerNode: figure(1, 2), isShared: false }
const HAND_OFFS = { rounds: figure(3, 50) }
/** The server's, and its period of grace. */
const LEASE_S = 10
const SERVER = {
  outageMs: figure(2000, 60_000),
  stop: killGanesha,
  start: (client: typeof lab) => startGanesha(client, { leaseS: LEASE_S }),
}

const V3 = configuration('3', '', { name: 'NFS-Ganesha, NFSv3', at: '/mnt/ganesha-3' })
const V42 = configuration('4.2', '', { name: 'NFS-Ganesha, NFSv4.2', at: '/mnt/ganesha-4' })
/** The short run asks about each kind on one version, and about what takes long on one. */
const PLACES: readonly (readonly [place: typeof V3, kinds: readonly LockKind[], isLong: boolean])[] = [
  [V3, isSoak ? ALL_KINDS : ['hard link', 'fcntl'], isSoak],
  [V42, isSoak ? ALL_KINDS : ['symlink', 'rename', 'flock'], true],
]

beforeAll(async () => {
  for (const node of NODES) await unmountNfs(lab, node)
  await SERVER.start(lab)
}, START_MS_MAX)

// The tests that come next find the kernel's server, and nodes that know of no other.
afterAll(async () => {
  for (const node of ['server', ...NODES] as const) await lab.machine('kill', node)
  await lab.machine('start', 'server')
  await Promise.all(NODES.map((node) => lab.machine('start', node)))
}, START_MS_MAX)

for (const [place, kinds, isLong] of PLACES) {
  describe(`on ${place.name}`, () => {
    askForExclusion(lab, place, kinds, CONTENTION)
    if (isSoak) askForBothCalls(lab, place)
    askForHandOff(lab, place, isSoak ? kinds : kinds.slice(0, 1), HAND_OFFS)
    if (!isLong) return
    askForTakeover(lab, place, isSoak ? TOKEN_KINDS : ['rename'])
    askForRestart(lab, place, SERVER)
  })
}
