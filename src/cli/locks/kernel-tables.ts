/**
 * What this node's kernel tells of locks, for people: which files hold an advisory lock of some process here. Nothing of other
 * nodes, and nothing of processes that we may not see.
 */

import { readFile } from 'node:fs/promises'
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

const keyOf = (device: bigint, ino: string) => `${device} ${ino}`

/** As glibc's `makedev()`. */
function deviceOf(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)]
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
}
