/** What the kernel says about mounts, read without touching them: a dead mount would not answer. */

import { readFileSync } from 'node:fs'
import { fileSystemOf } from '../advice/file-systems.js'

export interface MountInfo {
  /** `major:minor`, as in /proc/self/mountinfo. */
  device: string
  /** The directory of the file system that is mounted (`/` unless it is a bind mount or a subvolume). */
  root: string
  mountPoint: string
  type: string
  source: string
  /** Of the mount and of the file system together. */
  options: string[]
}

/** All mounts in the order in which they were made; empty where the platform does not tell. */
export function readMounts(): MountInfo[] {
  try {
    return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
  } catch {
    return []
  }
}

/** Format: proc_pid_mountinfo(5). */
export function parseMounts(text: string): MountInfo[] {
  const mounts: MountInfo[] = []
  for (const line of text.split('\n')) {
    const middle = line.indexOf(' - ') // a source may be called `-` as well
    if (middle === -1) continue
    const [front, back] = [line.slice(0, middle), line.slice(middle + 3)]
    const [, , device, root, mountPoint, options] = front.split(' ')
    const [type, source, superOptions] = back.split(' ')
    if (device === undefined || root === undefined || mountPoint === undefined || type === undefined) continue
    mounts.push({
      device,
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      type,
      source: unescapeOctal(source ?? ''),
      options: [...(options?.split(',') ?? []), ...(superOptions?.split(',') ?? [])],
    })
  }
  return mounts
}

/**
 * The mount that a path lies on, by its name alone: symbolic links are not followed. The latest of several on one place
 * is the visible one.
 */
export function mountAt(path: string, mounts: readonly MountInfo[] = readMounts()): MountInfo | null {
  let best: MountInfo | null = null
  for (const mount of mounts) {
    const prefix = mount.mountPoint === '/' ? '/' : `${mount.mountPoint}/`
    if (path !== mount.mountPoint && !path.startsWith(prefix)) continue
    if (best === null || mount.mountPoint.length >= best.mountPoint.length) best = mount
  }
  return best
}

/**
 * The mounts of a device, given as `stat` gives it; none for file systems that give their subvolumes numbers of their
 * own (btrfs).
 */
export function mountsOfDevice(dev: number, mounts: readonly MountInfo[] = readMounts()): MountInfo[] {
  const wanted = deviceName(dev)
  return mounts.filter(({ device }) => device === wanted)
}

/** The `id` of the file system that a path lies on, by its name alone; `null` where the platform does not tell. */
export function fileSystemAt(path: string): string | null {
  const mount = mountAt(path)
  return mount === null ? null : fileSystemOf(mount).id
}

/** `major:minor` of a Linux device number as `stat` encodes it. */
export function deviceName(dev: number): string {
  const number = BigInt(dev)
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn & 0xffffffffn)
  return `${major}:${minor}`
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
