/**
 * Goal: what is read under a lock is what the last holder wrote. On version 3 a lock alone does not give that: two writes of
 * the same size within one tick of the server's clock look alike, and the client goes on serving the bytes that it has.
 * Method: one process on each node adds one to a number in a file, under the lock; what is missing at the end was lost. The
 * server's ticks are long, so that the hazard strikes in a few dozen increments instead of in thousands.
 */

import { describe, expect, test } from 'vitest'
import {
  type Configuration,
  connectLab,
  figure,
  isSoak,
  NODES,
  newDirectory,
  program,
  proves,
  V3,
  V3_COARSE,
  V42_COARSE,
} from './support.js'

const lab = await connectLab()

/** Time for the other node to get the lock: only a process that reads what another node wrote can lose an update. */
const PAUSE_MS = 60
/** With a pause the nodes take the lock by turns of one, and the hazard strikes in every third increment or so. */
const BY_TURNS = { count: figure(120, 2000), pauseMs: PAUSE_MS }
/** Without, each does many in a row. */
const IN_A_ROW = { count: figure(3000, 100_000), pauseMs: 0 }
/** Where the hazard is rare, or does not exist. */
const ELSEWHERE = { count: 10_000, pauseMs: 0 }
type Amount = typeof BY_TURNS
const timeout = ({ count }: Amount) => 60_000 + count * 500

/** What suffices by itself. */
const HALVES = ['lock.readFile', 'lock.replaceFile', 'flock'] as const
const WORDS: Readonly<Record<string, string>> = {
  library: 'lock.readFile and lock.replaceFile',
  'lock.readFile': 'lock.readFile alone',
  'lock.replaceFile': 'lock.replaceFile alone',
  flock: 'an advisory lock on the data, taken and dropped before it is read',
  plain: 'plain reads and writes',
}

/** Returns how many increments were lost. The lock itself is on the same mount as the data. */
async function lostUpdates(place: Configuration, access: string, { count, pauseMs }: Amount): Promise<number> {
  const directory = await newDirectory(lab, place)
  const file = `${directory}/counter`
  await lab.exec('A', `printf %012d 0 > ${file}`)
  const options = { lock: `${directory}/lock`, file, locker: {}, count: count / NODES.length, access, pauseMs }
  const runs = NODES.map((node) => lab.start(node, { argv: program('increment.mjs', options) }))
  await Promise.all(runs.map((run) => run.sees(({ stdout }) => stdout.includes('ready') || undefined, { what: 'start' })))
  for (const run of runs) run.write('go\n')
  for (const run of runs) {
    const { code } = await run.end
    expect(code, run.stderr).toBe(0)
  }
  // Asked of the server itself.
  const value = await lab.exec('server', `cat ${file.replace(place.at, `/srv/${place.from ?? 'share'}`)}`)
  return count - Number(value)
}

describe(`on ${V3_COARSE.name}`, () => {
  test(
    'updates are lost under a perfect lock when the data is read through the cache: the hazard is real',
    { timeout: timeout(BY_TURNS) },
    async (context) => {
      const tell = proves(context, V3_COARSE, 'updates that plain reads and writes lose under a lock, for comparison')
      const lost = await lostUpdates(V3_COARSE, 'plain', BY_TURNS)
      tell(`${lost} of ${BY_TURNS.count}`)
      expect(lost).toBeGreaterThan(0)
    },
  )
})

const REMEDIES: readonly (readonly [place: Configuration, access: string, amount: Amount])[] = [
  ...(isSoak ? [[V3_COARSE, 'library', BY_TURNS] as const] : []),
  [V3_COARSE, 'library', IN_A_ROW],
  [V42_COARSE, 'plain', BY_TURNS],
  ...(isSoak ? HALVES.map((access) => [V3_COARSE, access, BY_TURNS] as const) : []),
  ...(isSoak
    ? ([
        [V3, 'library', ELSEWHERE],
        [V42_COARSE, 'library', ELSEWHERE],
      ] as const)
    : []),
]

test.for(REMEDIES.map(([place, access, amount]) => ({ on: place.name, access, increments: amount.count, place, amount })))(
  'no update is lost in $increments increments ($access)',
  { timeout: timeout(IN_A_ROW) },
  async ({ access, place, amount }, context) => {
    const tell = proves(context, place, 'no update is lost', WORDS[access])
    const lost = await lostUpdates(place, access, amount)
    tell(`${lost} of ${amount.count}`)
    expect(lost).toBe(0)
  },
)
