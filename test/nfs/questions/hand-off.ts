/** A lock is released on one node while another one waits: how soon does the waiter have it? Asked of every mount of the lab. */

import { afterEach, expect, test } from 'vitest'
import type { LabClient } from '../lab/client.js'
import type { GuestProgram } from '../lab/guest-program.js'
import { Driver, LOCK_KINDS, type LockKind, newDirectory, type Place, proves } from '../support.js'

export interface HandOffs {
  rounds: number
  /** What waiting costs meanwhile, in words, where that can be counted. */
  costOf?(directory: string): Promise<string>
}

/** A waiter that missed a release would see the next heartbeat at the earliest: this is no measure of speed. */
const HAND_OFF_MS_MAX = 5000

export function askForHandOff(lab: LabClient, place: Place, kinds: readonly LockKind[], { rounds, costOf }: HandOffs): void {
  const programs: GuestProgram[] = []
  afterEach(() => {
    for (const program of programs.splice(0)) program.kill('SIGKILL')
  })

  test.for(kinds)('a %s lock goes to the waiter on the other node with its release', async (kind, context) => {
    const tell = proves(context, place, 'hands over to a waiter on another node', kind)
    const directory = await newDirectory(lab, place)
    const path = `${directory}/lock`
    const [holder, waiter] = await Promise.all([
      Driver.start(lab, 'A', LOCK_KINDS[kind]),
      Driver.start(lab, 'B', LOCK_KINDS[kind]),
    ])
    programs.push(holder.program, waiter.program)
    const tookMs: number[] = []
    let cost = ''
    for (let round = 0; round < rounds; round++) {
      await holder.ask('acquire', { path, name: 'lock', waitMs: 20_000 })
      const waiting = waiter.begin('acquire', { path, name: 'lock', waitMs: 60_000 })
      // Until it waits: the first time for so long that its calls can be counted.
      if (round === 0 && costOf !== undefined) cost = `; while it waits, calls per second: ${await costOf(directory)}`
      else await holder.ask('latency', { forMs: 700 })
      const releasedMs = performance.now()
      expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
      expect(await waiting).toMatchObject({ held: true })
      tookMs.push(performance.now() - releasedMs)
      await waiter.ask('release', { name: 'lock' })
    }
    tookMs.sort((a, b) => a - b)
    const [median = 0, worst = 0] = [tookMs[Math.floor(tookMs.length / 2)], tookMs.at(-1)].map((ms) => Math.round(ms ?? 0))
    tell(`median ${median} ms, at the most ${worst} ms${cost}`)
    expect(worst).toBeLessThan(HAND_OFF_MS_MAX)
  })
}
