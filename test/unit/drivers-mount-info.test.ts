/** /proc/self/mountinfo as proc_pid_mountinfo(5) describes it: read right, whatever the mounts are called. */

import { statSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deviceName, mountAt, mountsOfDevice, parseMounts, readMounts } from '../../src/drivers/mount-info.js'

const SAMPLE = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 22 0:26 / /mnt/share rw,nosuid shared:5 master:2 - nfs4 server:/export rw,vers=4.2,actimeo=60
31 22 0:27 /sub /mnt/with\\040blank rw,relatime - nfs nas:/a\\134b rw,nocto,acregmax=30
32 30 0:28 / /mnt/share/inner rw - tmpfs tmpfs rw
33 22 0:29 / /mnt/share rw - tmpfs second rw
not a line of mountinfo

`

test('a line is taken apart, with and without optional fields, and octal escapes are undone', () => {
  const mounts = parseMounts(SAMPLE)
  expect(mounts.length).toBe(5)
  expect(mounts[1]).toEqual({
    device: '0:26',
    root: '/',
    mountPoint: '/mnt/share',
    type: 'nfs4',
    source: 'server:/export',
    options: ['rw', 'nosuid', 'rw', 'vers=4.2', 'actimeo=60'],
  })
  expect(mounts[2]).toMatchObject({ root: '/sub', mountPoint: '/mnt/with blank', type: 'nfs', source: 'nas:/a\\b' })
  expect(mounts[2]?.options).toContain('nocto')
})

describe('the mount of a path', () => {
  const mounts = parseMounts(SAMPLE)
  test.each([
    ['/', '/', '/dev/vda'],
    ['/mnt', '/', '/dev/vda'],
    ['/mnt/shareholder', '/', '/dev/vda'],
    ['/mnt/with blank/x', '/mnt/with blank', 'nas:/a\\b'],
    ['/mnt/share/inner/x', '/mnt/share/inner', 'tmpfs'],
  ])('%s is on %s', (path, mountPoint, source) => {
    expect(mountAt(path, mounts)).toMatchObject({ mountPoint, source })
  })

  test('is the latest of several on one place, which hides the others', () => {
    expect(mountAt('/mnt/share', mounts)).toMatchObject({ source: 'second' })
    expect(mountAt('/mnt/share/x', mounts)).toMatchObject({ source: 'second' })
  })

  test('is nothing where the platform does not tell', () => {
    expect(mountAt('/anywhere', [])).toBeNull()
  })
})

test('escaped names are read as they were, whatever bytes they contain', () => {
  const names = fc.string({ unit: fc.constantFrom(...'aZ09 \t\n\\-_.#'), minLength: 1, maxLength: 30 })
  const escaped = (name: string) => name.replace(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
  fc.assert(
    fc.property(names, names, (name, source) => {
      const [mount] = parseMounts(`1 0 8:1 / /${escaped(name)} rw - ext4 ${escaped(source)} rw\n`)
      expect(mount).toMatchObject({ mountPoint: `/${name}`, source })
    }),
  )
})

test('arbitrary text is read without a failure', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => Array.isArray(parseMounts(text))))
})

test('a device number is named as the kernel names it', () => {
  fc.assert(
    fc.property(fc.nat(0xfff), fc.nat(0xfffff), (major, minor) => {
      // The encoding of makedev(3) in user space.
      const dev = (BigInt(minor) & 0xffn) | (BigInt(major) << 8n) | ((BigInt(minor) & ~0xffn) << 12n)
      expect(deviceName(Number(dev))).toBe(`${major}:${minor}`)
    }),
  )
})

test('the mounts of this machine are found by path and by device', () => {
  const mounts = readMounts()
  const proc = mountAt('/proc/self/status', mounts)
  expect(proc).toMatchObject({ mountPoint: '/proc', type: 'proc' })
  expect(mountsOfDevice(statSync('/proc').dev, mounts)).toContainEqual(proc)
})
