/**
 * Goal: a lock that is released on one node soon goes to a waiter on another, and waiting costs the server little.
 * Method: a holder on A, a waiter on B; the time from the release to the acquisition, as it is told, and the calls of B meanwhile.
 */

import { afterEach, describe, expect, test } from 'vitest'
import type { GuestProgram } from './lab/guest-program.js'
import { askForHandOff } from './questions/hand-off.js'
import {
  ALL_KINDS,
  type Configuration,
  connectLab,
  figure,
  isSoak,
  type LockKind,
  newDirectory,
  program,
  proves,
  V3,
  V42,
} from './support.js'

const lab = await connectLab()

const ROUNDS = figure(5, 50)
/** The short run has each kind once. */
const kindsOn = (place: Configuration): readonly LockKind[] =>
  isSoak ? ALL_KINDS : place === V3 ? ['hard link', 'flock'] : ['symlink', 'rename']

const programs: GuestProgram[] = []
afterEach(() => {
  for (const program of programs.splice(0)) program.kill('SIGKILL')
})

interface Cost {
  perTime: number
  byOperation: Record<string, number>
}

const inWords = ({ perTime, byOperation }: Cost) =>
  `${perTime} (${Object.entries(byOperation)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')})`

for (const place of [V3, V42]) {
  /** The calls that node B makes in a second. */
  async function perSecond(directory: string, what: string): Promise<Cost> {
    const run = lab.start('B', { argv: program('count-rpcs.mjs', { at: place.at, directory, what }) })
    const { code } = await run.end
    expect(code, run.stderr).toBe(0)
    return JSON.parse(run.stdout)
  }

  describe(`on ${place.name}`, () => {
    const costOf = async (directory: string) => inWords(await perSecond(directory, 'seconds'))
    askForHandOff(lab, place, kindsOn(place), { rounds: ROUNDS, costOf })

    if (!isSoak && place !== V3) return
    test('proper-lockfile that retries every second, for comparison', async (context) => {
      const tell = proves(context, place, 'calls per second of waiting, for comparison', 'proper-lockfile, every second')
      const directory = await newDirectory(lab, place)
      const argv = program('count-rpcs.mjs', { at: place.at, directory, what: 'proper-lockfile holds' })
      const holder = lab.start('A', { argv })
      programs.push(holder)
      await holder.sees(({ stdout }) => stdout.includes('holds') || undefined, { what: 'lock' })
      const cost = await perSecond(directory, 'proper-lockfile waits')
      tell(inWords(cost))
      expect(cost.perTime).toBeGreaterThan(0)
    })
  })
}
