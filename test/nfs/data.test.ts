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

const INCREMENTS = figure(120, 100_000)
/** Time for the other node to get the lock: only who reads what another node wrote can lose an update. */
const PAUSE_MS = 60
const TEST_MS_MAX = 60_000 + INCREMENTS * 500

/** What suffices by itself. */
const HALVES = [
  ['lock.readFile', 'it is read with lock.readFile'],
  ['lock.replaceFile', 'it is replaced with lock.replaceFile'],
  ['flock', 'an advisory lock on the data file was taken and dropped first'],
]

/** Returns how many increments were lost. The lock itself is on the same mount as the data. */
async function lostUpdates(place: Configuration, access: string): Promise<number> {
  const directory = await newDirectory(lab, place)
  const file = `${directory}/counter`
  await lab.exec('A', `printf %012d 0 > ${file}`)
  const options = { lock: `${directory}/lock`, file, locker: {}, count: INCREMENTS / NODES.length, access, pauseMs: PAUSE_MS }
  const runs = NODES.map((node) => lab.start(node, { argv: program('increment.mjs', options) }))
  await Promise.all(runs.map((run) => run.sees(({ stdout }) => stdout.includes('ready') || undefined, { what: 'start' })))
  for (const run of runs) run.write('go\n')
  for (const run of runs) {
    const { code } = await run.end
    expect(code, run.stderr).toBe(0)
  }
  // Asked of the server itself.
  const value = await lab.exec('server', `cat ${file.replace(place.at, `/srv/${place.from ?? 'share'}`)}`)
  return INCREMENTS - Number(value)
}

describe(`on ${V3_COARSE.name}`, () => {
  test(
    'updates are lost under a perfect lock when the data is read through the cache: the hazard is real',
    {
      timeout: TEST_MS_MAX,
    },
    async (context) => {
      const tell = proves(context, V3_COARSE, 'updates are lost under a lock, without a remedy (as it must be)')
      const lost = await lostUpdates(V3_COARSE, 'plain')
      tell(`${lost} of ${INCREMENTS}`)
      expect(lost).toBeGreaterThan(0)
    },
  )

  test.for([['library', 'it is read with lock.readFile and written with lock.replaceFile'], ...(isSoak ? HALVES : [])])(
    '%s: no update is lost when %s',
    { timeout: TEST_MS_MAX },
    async ([access = ''], context) => {
      const tell = proves(context, V3_COARSE, `no update is lost: ${access}`)
      const lost = await lostUpdates(V3_COARSE, access)
      tell(`${lost} of ${INCREMENTS}`)
      expect(lost).toBe(0)
    },
  )
})

for (const place of isSoak ? [V42_COARSE, V3] : [V42_COARSE]) {
  describe(`on ${place.name}`, () => {
    const access = place === V3 ? 'library' : 'plain'
    test(`no update is lost (${access})`, { timeout: TEST_MS_MAX }, async (context) => {
      const tell = proves(context, place, `no update is lost: ${access}`)
      const lost = await lostUpdates(place, access)
      tell(`${lost} of ${INCREMENTS}`)
      expect(lost).toBe(0)
    })
  })
}
