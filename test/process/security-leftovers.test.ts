/**
 * What the patrol clears away. Goal: no user can make it remove anything that is not left over from mountlock. Method: the
 * patrol runs on a real directory, with its own system calls; only the clock is ours, and between any two operations
 * the attacker has a move.
 */

import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sessionOwner } from '../../build/drivers/identity.js'
import { runProtocolBlocking } from '../../build/drivers/run.js'
import type { Operation, Protocol } from '../../build/protocol/operations.js'
import { patrol } from '../../build/protocol/patrol.js'
import type { Observations } from '../../build/protocol/site.js'
import { temporaryFolder } from './support/folder.js'

const LEFTOVER = '.mountlock-new-0123456789abcdef'
const isRoot = process.getuid?.() === 0

/** Runs the patrol at a time of ours; `move` comes before each operation. */
function patrolAt(ownMs: number, folder: string, leftovers: Observations, move: (operation: Operation) => void = () => {}) {
  const surroundings = { coherent: true, listsAtOnce: true, extraSilenceMs: 0, me: sessionOwner(), observations: new Map() }
  const protocol = patrol(folder, [], surroundings, leftovers)
  let step = protocol.next()
  while (!step.done) {
    const operation = step.value
    move(operation)
    // No other process matters here, and names may be what they are: the clock alone is ours.
    step = protocol.next(operation.op === 'clock' ? { ownMs, wallMs: ownMs } : runProtocolBlocking(one(operation)))
  }
  return step.value.reaped
}

function* one(operation: Operation): Protocol<unknown> {
  return yield operation
}

const HOUR_MS = 3_600_000

/** Two looks, an hour apart; the attacker moves during the second. */
function patrolTwice(folder: string, move: (operation: Operation) => void = () => {}): string[] {
  const leftovers = new Map()
  patrolAt(1000, folder, leftovers)
  return patrolAt(1000 + HOUR_MS, folder, leftovers, move)
}

async function homeOfVictim(): Promise<string> {
  const home = await temporaryFolder()
  for (const name of ['thesis.tex', '.links', '17.free', '18']) writeFileSync(join(home, name), 'mine')
  return home
}

describe('a directory that looks like a lock that was never finished', () => {
  test('is removed when it is one, is ours, and has not changed for long', async () => {
    const folder = await temporaryFolder()
    mkdirSync(join(folder, LEFTOVER))
    writeFileSync(join(folder, LEFTOVER, '.links'), '')
    expect(patrolTwice(folder)).toEqual([LEFTOVER])
    expect(readdirSync(folder)).toEqual([])
  })

  test('is left alone as long as it may be unfinished, however often it is looked at', async () => {
    const folder = await temporaryFolder()
    mkdirSync(join(folder, LEFTOVER))
    const leftovers = new Map()
    for (let minute = 0; minute < 10; minute++) expect(patrolAt(1000 + minute * 60_000, folder, leftovers)).toEqual([])
    expect(readdirSync(folder)).toEqual([LEFTOVER])
  })

  test.skipIf(!isRoot)('is left alone when another user has made it (needs root rights)', async () => {
    const folder = await temporaryFolder(0o1777)
    mkdirSync(join(folder, LEFTOVER))
    chownSync(join(folder, LEFTOVER), 4242, 4242)
    expect(patrolTwice(folder)).toEqual([])
    expect(readdirSync(folder)).toEqual([LEFTOVER])
  })

  test('is not emptied of what mountlock did not put there', async () => {
    const folder = await temporaryFolder()
    mkdirSync(join(folder, LEFTOVER))
    writeFileSync(join(folder, LEFTOVER, 'thesis.tex'), 'mine')
    patrolTwice(folder)
    const [kept = ''] = readdirSync(folder)
    expect(readdirSync(join(folder, kept))).toEqual(['thesis.tex'])
  })

  test('and is a symbolic link is left alone', async () => {
    const [folder, home] = [await temporaryFolder(), await homeOfVictim()]
    symlinkSync(home, join(folder, LEFTOVER))
    patrolTwice(folder)
    expect(readdirSync(home)).toHaveLength(4)
  })

  test.each(['rename', 'stat', 'list'] as const)(
    'and is swapped for a symbolic link right before a %s of it costs the target nothing but what only mountlock calls so',
    async (when) => {
      const [folder, home] = [await temporaryFolder(0o777), await homeOfVictim()]
      mkdirSync(join(folder, LEFTOVER))
      let swapped = false
      patrolTwice(folder, (operation) => {
        const path = operation.op === 'rename' ? operation.from : 'path' in operation ? operation.path : ''
        const isThere = path.startsWith(join(folder, '.mountlock-new-')) && existsSync(path)
        if (swapped || operation.op !== when || !isThere || (when === 'stat' && path.endsWith(LEFTOVER))) return
        swapped = true
        renameSync(path, join(folder, 'aside'))
        symlinkSync(home, path)
      })
      expect(swapped).toBe(true)
      expect(readdirSync(home)).toEqual(expect.arrayContaining(['thesis.tex', '18']))
    },
  )
})
