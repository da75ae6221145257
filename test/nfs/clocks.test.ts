/**
 * Goal: no clock decides which process is dead: a live lock stays with its holder, whatever the clocks say.
 * Method: the holder's clock, or the server's, is wrong by hours; a waiter on the other node waits for several intervals.
 */

import { afterEach, describe, expect, test } from 'vitest'
import { skew } from './lab/operations.js'
import { type Configuration, connectLab, Driver, isSoak, newDirectory, PACE, proves, V3, V42 } from './support.js'

const lab = await connectLab()

const HOUR_S = 3600
const SKEWS_S = { '-11 hours': -11 * HOUR_S, '+11 hours': 11 * HOUR_S, '+1 year': 365 * 24 * HOUR_S }
/** The short run tries one direction for each place, the full one all. */
const skewsOn = (place: Configuration) =>
  isSoak ? Object.entries(SKEWS_S) : Object.entries(SKEWS_S).slice(place === V3 ? 0 : 1, place === V3 ? 1 : 3)
/** A wrong conviction would come after one interval and its margin. */
const WATCHED_MS = 2 * PACE.timeoutIntervalMs

const drivers: Driver[] = []
afterEach(async () => {
  for (const driver of drivers.splice(0)) driver.program.kill('SIGKILL')
  // Not by the inverse skew: however a test ended, the clocks are right again.
  for (const node of ['server', 'A', 'B'] as const) await lab.exec(node, `date -s @${Math.round(Date.now() / 1000)}`)
})

async function start(node: 'A' | 'B'): Promise<Driver> {
  const driver = await Driver.start(lab, node)
  drivers.push(driver)
  return driver
}

for (const place of [V3, V42]) {
  describe(`on ${place.name}`, () => {
    test.for(skewsOn(place))('a live lock is not taken from a node whose clock is off by %s', async ([, seconds], context) => {
      proves(context, place, 'keeps a live lock with its holder when clocks differ by hours')
      await skew(lab, 'A', seconds)
      const path = `${await newDirectory(lab, place)}/lock`
      const [holder, waiter] = [await start('A'), await start('B')]
      await holder.ask('acquire', { path, name: 'lock' })
      expect(await waiter.ask('acquire', { path, waitMs: WATCHED_MS })).toMatchObject({ error: { code: 'LOCK_TIMEOUT' } })
      expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false })
      expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
    })

    test.for(skewsOn(place))(
      "when the server's clock is stepped by %s the lock stays, or its holder is told first",
      async ([, seconds], context) => {
        const tell = proves(context, place, "survives a step of the server's clock, or tells the holder first")
        const path = `${await newDirectory(lab, place)}/lock`
        const [holder, waiter] = [await start('A'), await start('B')]
        await holder.ask('acquire', { path, name: 'lock' })
        const waiting = waiter.begin('acquire', { path, waitMs: WATCHED_MS })
        await skew(lab, 'server', seconds)
        const { held = false } = await waiting
        const isTold = holder.said().some((message) => message.lost === 'lock')
        expect(isTold, 'the waiter has it, so its former holder was told').toBe(held || isTold)
        tell(isTold ? 'the holder was told' : 'still held')
        expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: !isTold })
      },
    )
  })
}
