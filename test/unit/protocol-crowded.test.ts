/**
 * A lock directory with too many names in it. Goal: no process waits for ever behind what others left there. Method: one
 * process, with something in doubt, on a file system in memory.
 */

import { expect, test } from 'vitest'
import { attempt } from '../../src/protocol/acquire.js'
import { renameClaim } from '../../src/protocol/claim-rename.js'
import { createSession } from '../../src/protocol/session.js'
import { newMemory, type Site } from '../../src/protocol/site.js'
import { ME, newWorld, OWN_UID, run } from './bad-input-memory.js'

test('a process with something in doubt tidies a crowded lock directory, finds out, and acquires', () => {
  const world = newWorld()
  const created = run(world, createSession('/dir', ME, { label: '', refreshRateMs: 1000, timeoutIntervalMs: 3000 }))
  if (!created.ok) throw new Error(created.code)
  const session = created.value
  const file = { type: 'file', text: '', uid: OWN_UID, modifiedMs: 1 } as const
  world.nodes.set('/dir/lock', { type: 'directory', uid: OWN_UID, modifiedMs: 1 })
  for (const name of ['.renames', '18.free']) world.nodes.set(`/dir/lock/${name}`, file)
  for (let number = 100; number < 140; number++) world.nodes.set(`/dir/lock/.look-0123456789abc${number}`, file)
  const surroundings = { coherent: true, listsAtOnce: true, extraSilenceMs: 0, me: ME, observations: new Map() }
  const memory = { ...newMemory(), unsettled: { generation: 18n, sessionId: session.record.id } }
  const site: Site = {
    path: '/dir/lock',
    directory: '/dir',
    dev: 1,
    mode: 0o755,
    claim: renameClaim,
    memory,
    surroundings,
  }
  expect(run(world, attempt(site, session, false))).toMatchObject({ kind: 'busy', why: expect.stringContaining('being removed') })
  expect(run(world, attempt(site, session, false))).toMatchObject({ kind: 'acquired', generation: 19n })
})
