/**
 * What this node's kernel tells of locks, for people: which files hold an advisory lock of some process here, and which
 * processes here watch the directory of a lock, as those do that wait for it. Nothing of other nodes, and nothing of
 * processes that we may not see.
 */

import { readdir, readFile } from 'node:fs/promises'
import { parseKernelLocks } from '../../advisory/kernel-locks.js'

export interface FileIdentity {
  dev: bigint
  ino: bigint
}

export class LockedFiles {
  readonly #devices = new Set<bigint>()
  readonly #files = new Set<string>()

  static async read(): Promise<LockedFiles> {
    const files = new LockedFiles()
    // The kernel hands the list out page by page, and a line may slip through while others go.
    for (let look = 1; look <= 2; look++) files.#add(await readFile('/proc/locks', 'latin1').catch(() => ''))
    return files
  }

  #add(table: string): void {
    for (const { major, minor, ino } of parseKernelLocks(table)) {
      const device = deviceOf(major, minor)
      this.#devices.add(device)
      this.#files.add(keyOf(device, ino))
    }
  }

  /** False for most file systems: then no file there need be looked at. */
  hasSomeOn(device: bigint): boolean {
    return this.#devices.has(device)
  }

  has({ dev, ino }: FileIdentity): boolean {
    return this.#files.has(keyOf(dev, String(ino)))
  }
}

/** The inodes that a process watches (inotify), as keys of {@link watchKeyOf}; `null` when that is not ours to see. */
export async function watchedBy(pid: number): Promise<ReadonlySet<string> | null> {
  const folder = `/proc/${pid}/fdinfo`
  try {
    const names = await readdir(folder)
    const texts = await Promise.all(names.map((name) => readFile(`${folder}/${name}`, 'latin1').catch(() => '')))
    const lines = texts.flatMap((text) => [...text.matchAll(/^inotify wd:\S+ ino:([0-9a-f]+) sdev:([0-9a-f]+)/gm)])
    return new Set(lines.map(([, ino, device]) => `${device} ${ino}`))
  } catch {
    return null
  }
}

/** As the kernel writes it, with a device in its own encoding. */
export function watchKeyOf({ dev, ino }: FileIdentity): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)
  return `${((major << 20n) | minor).toString(16)} ${ino.toString(16)}`
}

const keyOf = (device: bigint, ino: string) => `${device} ${ino}`

/** As glibc's `makedev()`. */
function deviceOf(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)]
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
}
