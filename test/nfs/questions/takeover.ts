/**
 * A node that holds a lock is dead, frozen or cut off: which process has it then, and is the holder told? Asked of every mount of the lab
 * that has tokens.
 */

import { afterEach, expect, test } from 'vitest'
import type { LabClient } from '../lab/client.js'
import { cut, heal } from '../lab/operations.js'
import { Driver, LOCK_KINDS, type LockKind, newDirectory, PACE, type Place, proves } from '../support.js'

export interface Silence {
  /** For so long the server keeps for a silent node what it has cached, and other nodes that would change it wait. */
  keptMs: number
}

const NOTHING_KEPT: Silence = { keptMs: 0 }

/** Watching for one interval and its margin, and what these machines need for the rest. */
const TAKEOVER_MS_MAX = PACE.timeoutIntervalMs + PACE.refreshRateMs + 4000

interface Scene {
  holder: Driver
  waiter: Driver
  path: string
  token: bigint
}

/** A holder on A and a waiter on B, which end with their test. */
function cast(lab: LabClient, place: Place, { keptMs }: Silence) {
  const drivers: Driver[] = []
  afterEach(async () => {
    for (const driver of drivers.splice(0)) driver.program.kill('SIGKILL')
  })

  async function start(node: 'A' | 'B', options: object): Promise<Driver> {
    const driver = await Driver.start(lab, node, options)
    drivers.push(driver)
    return driver
  }

  const startBoth = (options: object) => Promise.all([start('A', options), start('B', options)])

  /** A holds the lock, and B stands ready. */
  async function holderAndWaiter(options: object): Promise<Scene> {
    const path = `${await newDirectory(lab, place)}/lock`
    const [holder, waiter] = await startBoth(options)
    const { token } = await holder.ask('acquire', { path, name: 'lock' })
    return { holder, waiter, path, token: BigInt(token) }
  }

  /** B waits for it from now on. Resolves with its token and how long it took. */
  async function wait({ waiter, path }: Pick<Scene, 'waiter' | 'path'>): Promise<{ token: bigint; tookMs: number }> {
    const { held, token, tookMs, error } = await waiter.ask(
      'acquire',
      { path, name: 'lock', waitMs: 60_000 + keptMs },
      120_000 + keptMs,
    )
    expect(held, JSON.stringify(error)).toBe(true)
    return { token: BigInt(token), tookMs }
  }

  return { start, startBoth, holderAndWaiter, wait }
}

/** Takeovers one after the other, to see whether now and then one takes longer: until the server's lease of the dead node is over. */
export function askForTakeovers(lab: LabClient, place: Place, kind: LockKind, count: number): void {
  const { start, wait } = cast(lab, place, NOTHING_KEPT)
  test(
    `${count} times a ${kind} lock of a killed node goes to the waiter in bounded time`,
    { timeout: count * 60_000 },
    async (context) => {
      const tell = proves(context, place, 'takes over from a killed node, time after time', kind)
      const waiter = await start('B', LOCK_KINDS[kind])
      const allMs: number[] = []
      for (let round = 0; round < count; round++) {
        const path = `${await newDirectory(lab, place)}/lock`
        const holder = await start('A', LOCK_KINDS[kind])
        const held = await holder.ask('acquire', { path, name: 'lock' })
        try {
          await lab.machine('kill', 'A')
          const { token, tookMs } = await wait({ waiter, path })
          expect(token).toBeGreaterThan(BigInt(held.token))
          allMs.push(Math.round(tookMs))
        } finally {
          await lab.machine('start', 'A')
        }
      }
      allMs.sort((a, b) => a - b)
      tell(`${allMs.join(', ')} ms with a timeout-interval of ${PACE.timeoutIntervalMs} ms`)
      expect(allMs.at(-1)).toBeLessThan(TAKEOVER_MS_MAX)
    },
  )
}

export function askForTakeover(lab: LabClient, place: Place, kinds: readonly LockKind[], silence: Silence = NOTHING_KEPT): void {
  const { keptMs } = silence
  const { startBoth, holderAndWaiter, wait } = cast(lab, place, silence)

  /** Where the server has given a node up, its mount may be without an answer for long after it is back. */
  function askOfReturning(): void {
    test.for(kinds)(
      'a frozen node that wakes up learns of the loss of its %s lock, and its late write and release harm no other process',
      async (kind, context) => {
        const tell = proves(context, place, 'takes over from a frozen node, which learns of it', kind)
        const scene = await holderAndWaiter(LOCK_KINDS[kind])
        const { holder, waiter, path } = scene
        const data = { name: 'lock', file: `${path}-data` }
        await lab.machine('pause', 'A')
        const { token, tookMs } = await wait(scene).finally(() => lab.machine('resume', 'A'))
        tell(`${Math.round(tookMs)} ms`)
        expect(token).toBeGreaterThan(scene.token)

        expect(await holder.hears((message) => message.lost === 'lock', 'loss')).toMatchObject({ lost: 'lock' })
        expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: false, aborted: true })
        await waiter.ask('write', { ...data, data: 'of the successor' })
        expect(await holder.ask('write', { ...data, data: 'too late' })).toMatchObject({ error: { code: 'LOCK_LOST' } })
        expect(await lab.exec('B', `cat ${data.file}`)).toBe('of the successor')
        expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: true })
        expect(await waiter.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false })
        expect(await holder.ask('tryAcquire', { path, name: 'again' })).toMatchObject({ held: false })
      },
    )

    test.for(kinds)(
      'a node that is cut off is told before the waiter gets its %s lock, and is harmless when it is back',
      async (kind, context) => {
        const tell = proves(context, place, 'tells a node that is cut off before its lock is taken over', kind)
        const scene = await holderAndWaiter(LOCK_KINDS[kind])
        const { holder, waiter, path } = scene
        await cut(lab, 'A')
        try {
          const { tookMs } = await wait(scene)
          tell(`${Math.round(tookMs)} ms`)
          expect(holder.said()).toContainEqual(expect.objectContaining({ lost: 'lock' }))
        } finally {
          await heal(lab, 'A')
        }
        expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: true })
        expect(await waiter.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false })
        expect(await holder.ask('tryAcquire', { path, name: 'again' })).toMatchObject({ held: false })
        await waiter.ask('release', { name: 'lock' })
        expect(await holder.ask('acquire', { path, name: 'again', waitMs: 20_000 })).toMatchObject({ held: true })
      },
    )
  }

  test.for(kinds)('the %s lock of a killed node goes to the waiter in bounded time', async (kind, context) => {
    const tell = proves(context, place, 'takes over from a killed node', kind)
    const scene = await holderAndWaiter(LOCK_KINDS[kind])
    try {
      await lab.machine('kill', 'A')
      const { token, tookMs } = await wait(scene)
      tell(`${Math.round(tookMs)} ms with a timeout-interval of ${PACE.timeoutIntervalMs} ms`)
      expect(token).toBeGreaterThan(scene.token)
      expect(tookMs).toBeLessThan(keptMs + TAKEOVER_MS_MAX)
    } finally {
      await lab.machine('start', 'A')
    }
  })

  if (keptMs === 0) askOfReturning()

  // A server of version 4 delegates a file to a node that reads it, and waits for a dead one's answer before it lets others write.
  test.for(kinds)('a node that dies right after it looked at a %s lock does not take its holder along', async (kind, context) => {
    proves(context, place, 'holds a lock although a node dies that has looked at it', kind)
    const directory = await newDirectory(lab, place)
    const path = `${directory}/lock`
    const timeoutIntervalMs = keptMs + PACE.timeoutIntervalMs
    const [onlooker, holder] = await startBoth({ ...LOCK_KINDS[kind], timeoutIntervalMs })
    await onlooker.ask('tryAcquire', { path: `${directory}/other` }) // so that the next one is quick
    await holder.ask('acquire', { path, name: 'lock' })
    expect(await onlooker.ask('tryAcquire', { path })).toMatchObject({ held: false })
    await lab.machine('kill', 'A')
    try {
      await holder.ask('latency', { forMs: timeoutIntervalMs + 2000 })
      expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false })
      expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
    } finally {
      await lab.machine('start', 'A')
    }
  })
}
