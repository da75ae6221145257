/** File systems in files, mounted in a private mount namespace: they vanish with it. */

import { randomBytes } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './folder.js'
import { privateMounts, type Space } from './space.js'

export interface Share {
  space: Space
  /** Where it is mounted. */
  path: string
  unmount(): Promise<void>
  /** Mounts the same file system again, as the same device. */
  mount(): Promise<void>
}

/** An empty folder to mount something on, in a mount namespace of its own. */
export async function mountPoint(): Promise<{ space: Space; path: string }> {
  const path = join(await temporaryFolder(), `share-${randomBytes(4).toString('hex')}`)
  await mkdir(path)
  return { space: await privateMounts(), path }
}

/** A share whose disk is a file. */
export async function imageShare(type: 'ext4' | 'ext2' = 'ext4'): Promise<Share> {
  const { space, path } = await mountPoint()
  const image = join(await temporaryFolder(), 'image')
  await space.run('truncate -s 64M "$1" && mkfs -q -F -t "$2" "$1"', image, type)
  const device = (await space.run('losetup --find --show "$1"', image)).trim()
  const mount = async () => void (await space.run('mount -t "$1" "$2" "$3" && chmod 1777 "$3"', type, device, path))
  const unmount = async () => void (await space.run('umount "$1"', path))
  // The device is not of the namespace. Given back at once, it goes when no process has it open any more: not before this test ends,
  // and not after it, even if this process is killed.
  const hold = await open(device, 'r')
  onTestFinished(() => hold.close())
  await mount()
  await space.run('losetup --detach "$1"', device)
  return { space, path, mount, unmount }
}

/** A share in memory, with these options of mount(8). */
export async function memoryShare(options: string): Promise<{ space: Space; path: string }> {
  const { space, path } = await mountPoint()
  await space.run('mount -t tmpfs -o "$1" tmpfs "$2"', options, path)
  return { space, path }
}

/** The same folder twice: as it is, and in the space as a mount that refuses to be written to. */
export async function readOnlyShare(): Promise<{ space: Space; path: string }> {
  const { space, path } = await mountPoint()
  await space.run('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"', path)
  return { space, path }
}
