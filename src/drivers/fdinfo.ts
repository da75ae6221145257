/** What the kernel says of a descriptor of this process: each of its threads sees the same. */

import { readFileSync } from 'node:fs'

/** Through it an fcntl lock is held. Where the kernel does not tell: no. */
export function isLocked(fd: number): boolean {
  try {
    return /^lock:.*\bPOSIX\b/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
  } catch {
    return false
  }
}
