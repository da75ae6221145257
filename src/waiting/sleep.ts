/** Waiting with blocking calls. */

import { waitOnWord } from '../drivers/clock.js'

const never = new Int32Array(new SharedArrayBuffer(4))

/** Blocks the thread. */
export function sleepBlocking(delayMs: number): void {
  waitOnWord(never, 0, 0, Math.max(0, delayMs))
}
