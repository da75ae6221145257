/**
 * Goal: the default advisory lock keeps out programs of either call, and what a mount option keeps on its node is said by doctor and
 * nodes: each verdict flips with the option.
 * Method: NFS, where both calls are one lock on the server, with and without the options that keep one call, or both, on the node.
 */

import { describe, expect, test } from 'vitest'
import { examine, judge, marks, TRUST } from './judge.js'
import { askForBothCalls, BY_BOTH_CALLS } from './questions/advisory.js'
import {
  configuration,
  connectLab,
  Driver,
  isSoak,
  newDirectory,
  NODES,
  type Place,
  proves,
  V3,
  V3_NOLOCK,
  V41,
  V42,
} from './support.js'

const lab = await connectLab()
const NODES_MS_MAX = 300_000
const LOCAL_CODES = ['ADVISORY_LOCAL', 'FLOCK_LOCAL', 'FCNTL_LOCAL'] as const

const LOCAL_FLOCK = configuration('3', 'local_lock=flock')
const LOCAL_FCNTL = configuration('3', 'local_lock=posix')
const LOCAL = configuration('3', 'local_lock=all')

for (const place of isSoak ? [V3, V41, V42] : [V42]) describe(`on ${place.name}`, () => askForBothCalls(lab, place))

const SAYS: readonly (readonly [Place, (typeof LOCAL_CODES)[number] | null])[] = [
  [V3, null],
  [V3_NOLOCK, 'ADVISORY_LOCAL'],
  ...(isSoak
    ? ([
        [LOCAL, 'ADVISORY_LOCAL'],
        [LOCAL_FLOCK, 'FLOCK_LOCAL'],
        [LOCAL_FCNTL, 'FCNTL_LOCAL'],
      ] as const)
    : []),
]

for (const [place, code] of SAYS)
  test(`doctor says on ${place.name} which advisory locks stay on the node: ${code ?? 'none'}`, async (context) => {
    proves(context, place, 'doctor: says what the mount options do')
    const { finding } = await examine(lab, place)
    expect(LOCAL_CODES.filter((each) => finding(each) !== undefined)).toEqual(code === null ? [] : [code])
    expect(finding('ADVISORY_CALLS')?.seen).toContain(code === null ? 'are one lock here' : 'do not see each other here')
  })

if (isSoak) {
  test.for([
    [LOCAL, ['flock: unsafe', 'fcntl: unsafe']],
    [LOCAL_FLOCK, ['flock: unsafe', 'fcntl: pass']],
    [LOCAL_FCNTL, ['flock: pass', 'fcntl: unsafe']],
  ] as const)('nodes finds on $name which call excludes', { timeout: NODES_MS_MAX }, async ([place, expected], context) => {
    proves(context, place, TRUST)
    expect(marks(await judge(lab, place, ['flock', 'fcntl']))).toEqual(expected)
  })

  test.for([LOCAL_FLOCK, LOCAL_FCNTL])(
    'with $name the default still excludes between nodes, by the other call',
    async (place, context) => {
      proves(context, place, 'the default advisory lock still excludes between nodes, by the call that is not local')
      const path = `${await newDirectory(lab, place)}/lock`
      const [a, b] = await Promise.all(NODES.map((node) => Driver.start(lab, node, BY_BOTH_CALLS)))
      expect(await a?.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
      expect(await b?.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: false })
      expect(await a?.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
      expect(await b?.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
      await Promise.all([a?.end(), b?.end()])
    },
  )
}
