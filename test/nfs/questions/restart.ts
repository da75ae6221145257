/** The server is killed and started again: what becomes of locks? Asked of every NFS server of the lab. */

import { afterEach, expect, test } from 'vitest'
import type { LabClient } from '../lab/client.js'
import { ADVISORY_KINDS, Driver, LOCK_KINDS, newDirectory, type Place, proves } from '../support.js'

export interface Server {
  /** As if its power had failed. */
  stop(lab: LabClient): Promise<void>
  /** Its clients may reclaim what they held. */
  start(lab: LabClient): Promise<void>
  outageMs: number
}

/** Longer than any outage here. */
const LONG = { refreshRateMs: 2000, timeoutIntervalMs: 300_000 }
/** The clients retry with growing pauses. */
export const RECOVERY_MS_MAX = 120_000

export function askForRestart(lab: LabClient, place: Place, server: Server): void {
  const drivers: Driver[] = []
  afterEach(() => {
    for (const driver of drivers.splice(0)) driver.program.kill('SIGKILL')
  })
  async function start(node: 'A' | 'B', options: object): Promise<Driver> {
    const driver = await Driver.start(lab, node, options)
    drivers.push(driver)
    return driver
  }

  test(
    'after an outage locks are still held, and no other process gets them; advisory ones are reclaimed, or their holder is told',
    { timeout: server.outageMs + RECOVERY_MS_MAX + 60_000 },
    async (context) => {
      proves(context, place, 'keeps a lock over a server restart shorter than the interval')
      const tell = ADVISORY_KINDS.map((kind) =>
        proves(context, place, 'reclaims advisory locks after a server restart, or tells', kind),
      )
      const directory = await newDirectory(lab, place)
      const path = `${directory}/lock`
      const [holder, other] = [await start('A', LONG), await start('B', LONG)]
      await holder.ask('acquire', { path, name: 'lock' })
      const advisory = await Promise.all(ADVISORY_KINDS.map(async (kind) => await advisoryPair(`${directory}/${kind}`, kind)))

      await server.stop(lab)
      await new Promise((resolve) => setTimeout(resolve, server.outageMs))
      await server.start(lab)
      expect(await other.ask('tryAcquire', { path }, RECOVERY_MS_MAX)).toMatchObject({ held: false })
      expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false })
      expect(await holder.ask('release', { name: 'lock' }, RECOVERY_MS_MAX)).toMatchObject({ lost: false })
      expect(await other.ask('acquire', { path, waitMs: RECOVERY_MS_MAX }, RECOVERY_MS_MAX)).toMatchObject({ held: true })

      for (const [index, { holder, other, path }] of advisory.entries()) {
        const { held } = await other.ask('tryAcquire', { path }, RECOVERY_MS_MAX)
        if (held) await holder.hears((message) => message.lost === 'lock', 'loss')
        else expect(await holder.ask('release', { name: 'lock' }, RECOVERY_MS_MAX)).toMatchObject({ lost: false })
        tell[index]?.(held ? 'the holder was told' : 'still held')
      }
    },
  )

  async function advisoryPair(path: string, kind: (typeof ADVISORY_KINDS)[number]) {
    const [holder, other] = [await start('A', LOCK_KINDS[kind]), await start('B', LOCK_KINDS[kind])]
    await holder.ask('acquire', { path, name: 'lock' })
    return { holder, other, path }
  }
}
