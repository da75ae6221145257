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
  Driver,
  figure,
  isSoak,
  LOCK_KINDS,
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

/** At default intervals; the heartbeats of a waiter are counted as well. */
const DEFAULT_PACE = { refreshRateMs: 20_000, timeoutIntervalMs: 60_000 }
/** The first in line looks more often for so long. */
const BRISK_MS = 10_000
const COUNTED_MS = figure(15_000, 60_000)
/** A further waiter has a certain look every eight seconds: 15 s have one or two of them, and each is a tenth of all its requests. */
const FURTHER_COUNTED_MS = figure(30_000, 60_000)
/** Until a waiter has a ticket, and the first in line does what it does for long. */
const SETTLE_MS = 8000
const CALLS_PER_SECOND_MAX = 20
const FURTHER_CALLS_PER_SECOND_MAX = 5
/** Four requests a second, of which each takes at least four. */
const CERTAIN_LOOKS_PER_SECOND_MAX = 1

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
  /** The calls that a node makes in a second. */
  async function perSecond(directory: string, what: string, { node = 'B' as 'A' | 'B', forMs = 5000 } = {}): Promise<Cost> {
    const run = lab.start(node, { argv: program('count-rpcs.mjs', { at: place.at, directory, what, forMs }) })
    const { code } = await run.end
    expect(code, run.stderr).toBe(0)
    return JSON.parse(run.stdout)
  }

  describe(`on ${place.name}`, () => {
    const costOf = async (directory: string) => inWords(await perSecond(directory, 'seconds'))
    askForHandOff(lab, place, kindsOn(place), { rounds: ROUNDS, costOf })

    test('a waiter makes few requests of the server, each further one fewer, and few of them for certain looks', async (context) => {
      const tell = proves(context, place, 'waits with few requests to the server (calls per second)', 'hard link')
      const directory = await newDirectory(lab, place)
      const path = `${directory}/lock`
      // The further waiter has a node for itself, so that its calls are counted by themselves. That of the first comes first by
      // name: waiters that met the same holder are ordered so.
      const drivers = (['A', 'A', 'B'] as const).map((node) =>
        Driver.start(lab, node, { ...LOCK_KINDS['hard link'], ...DEFAULT_PACE }),
      )
      const [holder, one, other] = (await Promise.all(drivers)) as [Driver, Driver, Driver]
      programs.push(holder.program, one.program, other.program)
      await holder.ask('acquire', { path, name: 'lock' })
      void one.begin('acquire', { path, waitMs: 600_000 })
      const first = await perSecond(directory, 'seconds', { node: 'A', forMs: BRISK_MS })
      const then = await perSecond(directory, 'seconds', { node: 'A', forMs: COUNTED_MS })
      void other.begin('acquire', { path, waitMs: 600_000 })
      await perSecond(directory, 'seconds', { forMs: SETTLE_MS })
      const further = await perSecond(directory, 'seconds', { forMs: FURTHER_COUNTED_MS })
      tell(`at first ${inWords(first)}; then ${inWords(then)}; a further one ${inWords(further)}`)
      // Over a minute.
      const inMinute = (first.perTime * BRISK_MS + then.perTime * (60_000 - BRISK_MS)) / 60_000
      expect(inMinute, inWords(then)).toBeLessThanOrEqual(CALLS_PER_SECOND_MAX)
      expect(further.perTime, inWords(further)).toBeLessThanOrEqual(FURTHER_CALLS_PER_SECOND_MAX)
      // Each certain look makes a file, and removes it.
      expect(then.byOperation.REMOVE ?? 0).toBeLessThanOrEqual(CERTAIN_LOOKS_PER_SECOND_MAX)
    })

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
