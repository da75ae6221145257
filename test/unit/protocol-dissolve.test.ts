/**
 * A lock directory that is taken away, as slow processes leave it. Goal: what cannot become a lock again is taken away to the end.
 * Method: the protocol on a real directory, in a state that a stalled process brings about.
 */

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sessionOwner } from '../../src/drivers/identity.js'
import { runProtocolBlocking } from '../../src/drivers/run.js'
import { dissolve } from '../../src/protocol/dissolve.js'

const asker = { leaseRemainingMs: () => 1000, wanted: () => true }

test('the last entry of a lock of renames was renamed away while the marker was back in its place: the lock goes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mountlock-dissolve-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'lock')
  await mkdir(path)
  for (const name of ['.renames', '.dissolved-renames-18-0123456789abcdef']) await writeFile(join(path, name), '')
  const surroundings = { coherent: true, extraSilenceMs: 0, me: sessionOwner(), observations: new Map() }
  const site = { path, directory, dev: statSync(directory).dev, surroundings }
  expect(runProtocolBlocking(dissolve(site, null), asker)).toEqual({ kind: 'gone' })
  expect(await readdir(directory)).toEqual([])
})
