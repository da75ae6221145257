/**
 * Goal: advisory locks that the server gives away, or keeps for the dead, are explained to their holders and waiters.
 * Method: a holder that is frozen for longer than the server's lease (version 4), a holder whose node is killed (version 3).
 */

import { afterEach, describe, expect, test } from 'vitest'
import { mount } from './lab/operations.js'
import { GUEST_REPOSITORY } from './lab/paths.js'
import { ADVISORY_KINDS, connectLab, Driver, isSoak, LOCK_KINDS, newDirectory, proves, V3, V41, V42 } from './support.js'

const lab = await connectLab()

/** Not within this test. */
const NEVER_LOOKS = { refreshRateMs: 200_000, timeoutIntervalMs: 600_000 }

const drivers: Driver[] = []
afterEach(async () => {
  for (const driver of drivers.splice(0)) driver.program.kill('SIGKILL')
})

async function start(node: 'A' | 'B', options: object): Promise<Driver> {
  const driver = await Driver.start(lab, node, options)
  drivers.push(driver)
  return driver
}

for (const place of isSoak ? [V41, V42] : [V41]) {
  describe(`on ${place.name}`, () => {
    test.for(ADVISORY_KINDS)(
      "a holder of a %s lock that slept through the server's lease is told that it lost it",
      async (kind, context) => {
        const tell = proves(context, place, "tells the holder of an advisory lock that the server's lease ran out")
        const directory = await newDirectory(lab, place)
        const [path, other] = [`${directory}/lock`, `${directory}/other`]
        const [holder, waiter] = [await start('A', LOCK_KINDS[kind]), await start('B', LOCK_KINDS[kind])]
        const seldom = await start('A', { ...LOCK_KINDS[kind], ...NEVER_LOOKS })
        await holder.ask('acquire', { path, name: 'lock' })
        await seldom.ask('acquire', { path: other, name: 'lock' })
        await lab.machine('pause', 'A')
        const [taken, otherTaken] = await Promise.all([
          waiter.ask('acquire', { path, name: 'lock', waitMs: 80_000 }),
          waiter.ask('acquire', { path: other, name: 'other', waitMs: 80_000 }),
        ]).finally(() => lab.machine('resume', 'A'))
        expect([taken, otherTaken]).toMatchObject([{ held: true }, { held: true }])
        // One that was never looked at is looked at by its release.
        expect(await seldom.ask('release', { name: 'lock' })).toMatchObject({ lost: true })
        expect(await holder.hears((message) => message.lost === 'lock', 'loss', 20_000)).toMatchObject({
          reason: 'advisory-lost',
        })
        expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: false })
        expect(await waiter.ask('state', { name: 'lock' })).toMatchObject({ held: true })
        tell(`given away after ${Math.round(taken.tookMs / 1000)} s`)
      },
    )
  })
}

describe(`on ${V3.name}`, () => {
  test('the advisory lock of a node that died stays held until it boots again; inspect and locktester say so', async (context) => {
    proves(context, V3, 'explains an advisory lock that a dead node still holds')
    const directory = await newDirectory(lab, V3)
    const path = `${directory}/.locktester/advisory`
    const dead = lab.start('A', { argv: ['node', `${GUEST_REPOSITORY}/bin/locktester`, directory] })
    await dead.sees(({ stderr }) => stderr.includes('Holding.') || undefined, { what: 'hold' })
    const other = await start('B', LOCK_KINDS.flock)
    await lab.machine('kill', 'A')
    try {
      expect(await other.ask('inspect', { path })).toMatchObject({ state: 'held', holder: { host: null } })
      const tester = await lab.run('B', `node ${GUEST_REPOSITORY}/bin/locktester ${directory}`)
      expect(tester.stdout).toContain('* Unable to acquire advisory lock')
      expect(tester.stderr).toContain('a file server may keep the locks of a crashed node for some time')
    } finally {
      await lab.machine('start', 'A')
    }
    // Its reboot notifies the server (statd): from then on the lock is free.
    await mount(lab, 'A', V3.at, V3)
    expect(await other.ask('acquire', { path, waitMs: 60_000 })).toMatchObject({ held: true })
  })
})
