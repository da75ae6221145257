/** Reads `/proc/locks`: the locks that this node's kernel knows of, with the process that took each. */

import { readFile, readlink } from 'node:fs'
import type { Lane } from '../drivers/lane.js'
import type { AdvisoryCall } from '../types.js'

interface KernelLock {
  readonly kind: AdvisoryCall
  /** `null` where the kernel names no process: open-file-description locks, locks of remote clients. */
  readonly pid: number | null
  readonly major: number
  readonly minor: number
  readonly ino: string
}

/** Open-file-description locks exclude fcntl locks, so they count as such. */
const KINDS: Record<string, AdvisoryCall> = { FLOCK: 'flock', POSIX: 'fcntl', OFDLCK: 'fcntl' }
// "12: FLOCK  ADVISORY  WRITE 4191 fe:00:2146345 0 EOF"; a waiter has "->" after the number and holds nothing.
const LINE = /^\d+: (FLOCK|POSIX|OFDLCK) +\S+ +(?:READ|WRITE) +(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /
/** The pid namespace that sees every process of this machine has this fixed number (PROC_PID_INIT_INO). */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]'

export function parseKernelLocks(text: string): KernelLock[] {
  const locks: KernelLock[] = []
  for (const line of text.split('\n')) {
    const [, type, pid, major, minor, ino] = LINE.exec(line) ?? []
    const kind = KINDS[type ?? '']
    if (!kind || !pid || !major || !minor || !ino) continue
    locks.push({
      kind,
      pid: Number(pid) > 0 ? Number(pid) : null,
      major: Number.parseInt(major, 16),
      minor: Number.parseInt(minor, 16),
      ino,
    })
  }
  return locks
}

/** The locks of one kind on one inode, as `stat` (with `bigint`) tells it. `null` when there is no `/proc/locks`. */
export async function findKernelLocks(
  kind: AdvisoryCall,
  file: { dev: bigint; ino: bigint },
  lane: Lane,
): Promise<KernelLock[] | null> {
  const { major, minor } = splitDevice(file.dev)
  // The kernel hands the list out page by page, and a line may slip through while others go: so look twice before "none".
  for (let look = 1; look <= 2; look++) {
    const text = await lane.run<string>((done) => readFile('/proc/locks', 'latin1', done)).catch(() => null)
    if (text === null) return null
    const found = parseKernelLocks(text).filter(
      (lock) => lock.kind === kind && lock.major === major && lock.minor === minor && lock.ino === String(file.ino),
    )
    if (found.length > 0) return found
  }
  return []
}

/** `/proc/locks` leaves out the locks of processes that the reader's pid namespace does not show. */
export async function seesEveryProcess(lane: Lane): Promise<boolean> {
  const target = await lane.run<string>((done) => readlink('/proc/self/ns/pid', done)).catch(() => '')
  return target === INITIAL_PID_NAMESPACE
}

/** As glibc's `major()` and `minor()`. */
function splitDevice(dev: bigint): { major: number; minor: number } {
  return {
    major: Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)),
    minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)),
  }
}
