/**
 * Goal: where a lock cannot be, the error says why and what to do, and nothing is lost or taken on the wrong disk.
 * Method: exports that are full, read-only, or map root to nobody; directories that vanish on the server; shares unmounted.
 */

import { afterEach, describe, expect, test } from 'vitest'
import { mount, unmount } from './lab/operations.js'
import { connectLab, Driver, LOCK_KINDS, newDirectory, proves, TOKEN_KINDS, V3, V42 } from './support.js'

const lab = await connectLab()

const drivers: Driver[] = []
afterEach(async () => {
  for (const driver of drivers.splice(0)) driver.program.kill('SIGKILL')
})

async function start(node: 'A' | 'B', options: object = {}): Promise<Driver> {
  const driver = await Driver.start(lab, node, options)
  drivers.push(driver)
  return driver
}

for (const place of [V3, V42]) {
  const { version } = place
  describe(`on ${place.name}`, () => {
    test.for(TOKEN_KINDS)(
      'on a full export a %s lock is refused with the reason, and works when there is room again',
      async (kind, context) => {
        proves(context, place, 'full file system: says so, recovers')
        const at = `/mnt/small-${version}`
        await mount(lab, 'A', at, { version, from: 'small' })
        const driver = await start('A', LOCK_KINDS[kind])
        await lab.exec('A', `mkdir -p ${at}/full; dd if=/dev/zero of=${at}/filler bs=4k count=1000; sync; true`)
        const path = `${at}/full/${kind.replace(' ', '-')}`
        expect(await driver.ask('tryAcquire', { path })).toMatchObject({ error: { code: 'NO_SPACE' } })
        await lab.exec('A', `rm ${at}/filler`)
        expect(await driver.ask('tryAcquire', { path })).toMatchObject({ held: true })
      },
    )

    test('beyond the quota of its user a lock is refused with the reason, and held locks stay held', async (context) => {
      proves(context, place, 'quota: says so; held locks stay held')
      const at = `/mnt/quota-${version}`
      await mount(lab, 'A', at, { version, from: 'quota' })
      const directory = (await lab.exec('A', `mktemp -d ${at}/XXXXXX`)).trim()
      const driver = await start('A')
      await driver.ask('acquire', { path: `${directory}/lock`, name: 'lock' })
      await lab.exec('A', `dd if=/dev/zero of=${directory}/filler bs=4k count=1000; sync; true`)
      expect(await driver.ask('tryAcquire', { path: `${directory}/other` })).toMatchObject({ error: { code: 'QUOTA_EXCEEDED' } })
      await driver.ask('latency', { forMs: 5000 }) // longer than an interval: heartbeats must have gone on
      expect(await driver.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
      await lab.exec('A', `rm ${directory}/filler`)
      expect(await driver.ask('tryAcquire', { path: `${directory}/other` })).toMatchObject({ held: true })
    })

    test('a lock that is held when the export fills up stays held, and can be released', async (context) => {
      proves(context, place, 'full file system: held locks stay held')
      const at = `/mnt/small-${version}`
      await mount(lab, 'A', at, { version, from: 'small' })
      const driver = await start('A')
      const directory = (await lab.exec('A', `mktemp -d ${at}/XXXXXX`)).trim()
      await driver.ask('acquire', { path: `${directory}/lock`, name: 'lock' })
      await lab.exec('A', `dd if=/dev/zero of=${at}/filler bs=4k count=1000; sync; true`)
      try {
        await driver.ask('latency', { forMs: 6000 }) // longer than an interval: heartbeats must have gone on
        expect(await driver.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false })
        expect(await driver.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
      } finally {
        await lab.exec('A', `rm ${at}/filler`)
      }
    })

    test('on a read-only export every lock is refused with the reason', async (context) => {
      proves(context, place, 'read-only export: says so')
      const at = `/mnt/readonly-${version}`
      await mount(lab, 'A', at, { version, from: 'readonly' })
      for (const options of Object.values(LOCK_KINDS)) {
        const driver = await start('A', options)
        expect(await driver.ask('tryAcquire', { path: `${at}/lock` })).toMatchObject({ error: { code: 'READ_ONLY' } })
      }
    })

    test('where root is mapped to nobody the refusal says so, and in a directory of everybody it works', async (context) => {
      proves(context, place, 'root_squash: says so')
      const at = `/mnt/squashed-${version}`
      await mount(lab, 'A', at, { version, from: 'squashed' })
      const driver = await start('A')
      const { error } = await driver.ask('tryAcquire', { path: `${at}/lock` })
      expect(error).toMatchObject({ code: 'ACCESS_DENIED', message: expect.stringContaining('root_squash') })
      await lab.exec('server', 'mkdir -p -m 1777 /srv/squashed/everybody')
      expect(await driver.ask('tryAcquire', { path: `${at}/everybody/lock` })).toMatchObject({ held: true })
    })

    test('when the directory vanishes on the server the holder is told, and the next attempt says what is missing', async (context) => {
      proves(context, place, 'directory removed on the server: says so')
      const directory = await newDirectory(lab, place)
      const driver = await start('A')
      await driver.ask('acquire', { path: `${directory}/lock`, name: 'lock' })
      await lab.exec('server', `rm -rf ${directory.replace(place.at, '/srv/share')}`)
      await driver.hears((message) => message.lost === 'lock', 'loss')
      const { error } = await driver.ask('tryAcquire', { path: `${directory}/other` })
      expect(['PARENT_MISSING', 'STALE_HANDLE']).toContain(error?.code)
    })

    test('unmounted and mounted again within the interval, a lock is still held; nothing kept the mount busy', async (context) => {
      proves(context, place, 'unmount and remount while holding')
      const at = `/mnt/moving-${version}`
      const path = await preparePath(at)
      const driver = await start('A', { refreshRateMs: 1000, timeoutIntervalMs: 30_000 })
      await driver.ask('acquire', { path, name: 'lock' })
      await unmount(lab, 'A', at)
      expect(await driver.ask('tryAcquire', { path: `${path}-2` })).toHaveProperty('error')
      expect(await lab.exec('A', `find ${at}`)).toBe(`${at}\n`)
      await mount(lab, 'A', at, { version, options: 'nosharecache' })
      expect(await driver.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false })
      expect(await driver.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
      await unmount(lab, 'A', at, { lazy: true })
    })

    test('unmounted for longer than the interval, the holder is told, and nothing is taken on the disk below', async (context) => {
      proves(context, place, 'unmounted for longer than the interval: told, and never on the local disk')
      const at = `/mnt/leaving-${version}`
      const path = await preparePath(at)
      const driver = await start('A')
      await driver.ask('acquire', { path, name: 'lock' })
      await unmount(lab, 'A', at)
      // A directory of the same name on the disk below, as an administrator's mistake would have it.
      await lab.exec('A', `mkdir -p ${path.replace(/\/lock$/, '')}`)
      await driver.hears((message) => message.lost === 'lock', 'loss')
      expect(await driver.ask('tryAcquire', { path })).toMatchObject({ error: { code: 'MOUNT_CHANGED' } })
      expect(await lab.exec('A', `find ${at} -type f -o -type l`)).toBe('')
    })

    async function preparePath(at: string): Promise<string> {
      await mount(lab, 'A', at, { version, options: 'nosharecache' })
      const directory = (await lab.exec('A', `mktemp -d ${at}/XXXXXX`)).trim()
      return `${directory}/lock`
    }
  })
}
