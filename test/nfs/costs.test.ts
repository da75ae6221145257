/**
 * Goal: locks cost few calls to the server, and heartbeats the same few however many locks are held.
 * Method: the client's own count, in /proc/self/mountstats, around acquire + release and around some heartbeats.
 */

import { describe, expect, test } from 'vitest'
import { connectLab, figure, LOCK_KINDS, newDirectory, program, proves, TOKEN_KINDS, V3, V42 } from './support.js'

const lab = await connectLab()

const MANY = figure(100, 500)
/** No heartbeat and no patrol comes among the calls that are counted, however slow the machines are. */
const SELDOM = { refreshRateMs: 200_000, timeoutIntervalMs: 600_000 }

interface Cost {
  perTime: number
  byOperation: Record<string, number>
  lost?: number
}

/** Four file operations, some of which the client precedes by a look-up or follows by an attribute request. */
const CALLS_PER_CYCLE_MAX = 10
/**
 * Link (or make), list, rename and remove; what the client asks beside them is one GETATTR, and of a hard link one ACCESS. Renames
 * are two. A quarter of a call on top is a look at the lock in the first of twenty cycles.
 */
const CALLS_OF_ONE_USER_MAX = { 'hard link': 6.25, symlink: 5.25, rename: 2.25 }

/** A heartbeat is open, read, write, close; the watch over two neighbours comes on top. */
const CALLS_PER_HEARTBEAT_MAX = 12

for (const place of [V3, V42]) {
  describe(`on ${place.name}`, () => {
    async function measure(options: object, mode = '1777'): Promise<Cost> {
      const directory = await newDirectory(lab, place)
      await lab.exec('A', `chmod ${mode} ${directory}`)
      const run = lab.start('A', { argv: program('count-rpcs.mjs', { at: place.at, directory, ...options }) })
      const { code } = await run.end
      expect(code, run.stderr).toBe(0)
      return JSON.parse(run.stdout)
    }
    const inWords = ({ perTime, byOperation }: Cost) =>
      `${perTime} (${Object.entries(byOperation)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')})`

    test.for(TOKEN_KINDS)('acquire and release of an uncontended %s lock cost few calls', async (kind, context) => {
      const tell = proves(context, place, 'calls per acquire + release', kind)
      const cost = await measure({ what: 'cycles', locker: { ...LOCK_KINDS[kind], ...SELDOM } })
      tell(inWords(cost))
      expect(cost.perTime).toBeLessThanOrEqual(CALLS_PER_CYCLE_MAX)
    })

    test.for(TOKEN_KINDS)(
      'in a directory of one user a %s lock costs no call more than its file operations',
      async (kind, context) => {
        const tell = proves(context, place, 'calls per acquire + release in a directory of one user', kind)
        const cost = await measure({ what: 'cycles', locker: { ...LOCK_KINDS[kind], ...SELDOM } }, '755')
        tell(inWords(cost))
        expect(cost.perTime).toBeLessThanOrEqual(CALLS_OF_ONE_USER_MAX[kind])
      },
    )

    test('proper-lockfile, for comparison', async (context) => {
      const tell = proves(context, place, 'calls per acquire + release: proper-lockfile, for comparison')
      const cost = await measure({ what: 'proper-lockfile' })
      tell(inWords(cost))
      expect(cost.perTime).toBeGreaterThan(0)
    })

    test('a heartbeat costs the same for hundreds of locks as for one', { timeout: 240_000 }, async (context) => {
      const tell = proves(context, place, 'calls per heartbeat: the same for hundreds of locks as for one')
      const locker = { refreshRateMs: figure(1000, 2000), timeoutIntervalMs: 120_000 }
      const one = await measure({ what: 'heartbeats', held: 1, locker })
      const many = await measure({ what: 'heartbeats', held: MANY, locker })
      tell(`one lock: ${inWords(one)}; ${MANY} locks: ${inWords(many)}`)
      expect(many.lost).toBe(0)
      expect(many.perTime).toBeLessThanOrEqual(CALLS_PER_HEARTBEAT_MAX)
      expect(many.perTime).toBeLessThanOrEqual(one.perTime + 2)
    })
  })
}
