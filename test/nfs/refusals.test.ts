/**
 * Goal: where a lock cannot be, the error says why and what to do, and nothing is lost or taken on the wrong disk.
 * Method: exports that are full, read-only, or map root to `nobody`; directories that vanish on the server; shares unmounted.
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

/** Removes files, and waits until the server has given up their space: it does so some time later. */
async function empty(files: string, exported: string): Promise<void> {
  const free = `stat -f -c %f ${exported}`
  const before = Number(await lab.exec('server', free))
  await lab.exec('A', `rm -f ${files}`)
  await lab.exec('server', `until [ $(${free}) -gt ${before + 20} ]; do sleep 0.1; done`)
}

for (const place of [V3, V42]) {
  const { version } = place
  describe(`on ${place.name}`, () => {
    test.for(TOKEN_KINDS)(
      'on a full export a %s lock is refused with the reason, and works when there is room again',
      async (kind, context) => {
        proves(context, place, 'names a full file system, and locks again when there is room', kind)
        const at = `/mnt/small-${version}`
        await mount(lab, 'A', at, { version, from: 'small' })
        const driver = await start('A', LOCK_KINDS[kind])
        await lab.exec('A', `mkdir -p ${at}/full; dd if=/dev/zero of=${at}/filler bs=4k count=1000; sync; true`)
        const path = `${at}/full/${kind.replace(' ', '-')}`
        expect(await driver.ask('tryAcquire', { path })).toMatchObject({ error: { code: 'NO_SPACE' } })
        await empty(`${at}/filler`, '/srv/small')
        expect(await driver.ask('tryAcquire', { path })).toMatchObject({ held: true })
      },
    )

    test('beyond the quota of its user a lock is refused with the reason, and held locks stay held', async (context) => {
      proves(context, place, 'names an exceeded quota; held locks stay held')
      const at = `/mnt/quota-${version}`
      await mount(lab, 'A', at, { version, from: 'quota' })
      const directory = (await lab.exec('A', `mktemp -d ${at}/XXXXXX`)).trim()
      const driver = await start('A')
      await driver.ask('acquire', { path: `${directory}/lock`, name: 'lock' })
      // To the last block: a lock is small.
      const fill = `dd if=/dev/zero of=${directory}/filler bs=4k count=1000; sync; n=0`
      await lab.exec('A', `${fill}; while echo > ${directory}/filler-$n && sync; do n=$((n+1)); done; true`)
      try {
        const other = { path: `${directory}/other` }
        expect(await driver.ask('tryAcquire', other)).toMatchObject({ error: { code: 'QUOTA_EXCEEDED' } })
        await driver.ask('latency', { forMs: 5000 }) // longer than an interval: heartbeats must have gone on
        expect(await driver.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
        await empty(`${directory}/filler*`, '/srv/quota')
        expect(await driver.ask('tryAcquire', other)).toMatchObject({ held: true })
      } finally {
        await lab.exec('A', `rm -rf ${directory}`)
      }
    })

    test('a lock that is held when the export fills up stays held, and can be released', async (context) => {
      proves(context, place, 'keeps held locks when the file system is full')
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
        await empty(`${at}/filler`, '/srv/small')
      }
    })

    test('on a read-only export every lock is refused with the reason', async (context) => {
      proves(context, place, 'names a read-only export')
      const at = `/mnt/readonly-${version}`
      await mount(lab, 'A', at, { version, from: 'readonly' })
      const refusals = Object.values(LOCK_KINDS).map(async (options) => {
        const driver = await start('A', options)
        return await driver.ask('tryAcquire', { path: `${at}/lock` })
      })
      for (const refused of await Promise.all(refusals)) expect(refused).toMatchObject({ error: { code: 'READ_ONLY' } })
    })

    test('where root is mapped to nobody the refusal says so, and in a directory that all may write to it works', async (context) => {
      proves(context, place, 'names root_squash where it refuses a lock')
      const at = `/mnt/squashed-${version}`
      await mount(lab, 'A', at, { version, from: 'squashed' })
      const driver = await start('A')
      const { error } = await driver.ask('tryAcquire', { path: `${at}/lock` })
      expect(error).toMatchObject({ code: 'ACCESS_DENIED', message: expect.stringContaining('root_squash') })
      await lab.exec('server', 'mkdir -p -m 1777 /srv/squashed/everybody')
      expect(await driver.ask('tryAcquire', { path: `${at}/everybody/lock` })).toMatchObject({ held: true })
    })

    test('when the directory vanishes on the server the holder is told, and the next attempt says what is missing', async (context) => {
      proves(context, place, 'names a directory that was removed on the server')
      const directory = await newDirectory(lab, place)
      const driver = await start('A')
      await driver.ask('acquire', { path: `${directory}/lock`, name: 'lock' })
      await lab.exec('server', `rm -rf ${directory.replace(place.at, '/srv/share')}`)
      await driver.hears((message) => message.lost === 'lock', 'loss')
      const { error } = await driver.ask('tryAcquire', { path: `${directory}/other` })
      expect(['PARENT_MISSING', 'STALE_HANDLE']).toContain(error?.code)
    })

    test('unmounted and mounted again within the interval, a lock is still held; nothing kept the mount busy', async (context) => {
      proves(context, place, 'keeps a lock while its share is unmounted and mounted again within the interval')
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
      proves(
        context,
        place,
        'tells the holder when its share is unmounted for longer than the interval, and locks nothing on the disk below',
      )
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
