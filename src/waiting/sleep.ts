/** Waiting with blocking calls. */

const never = new Int32Array(new SharedArrayBuffer(4))

/** Blocks the thread. */
export function sleepBlocking(delayMs: number): void {
  Atomics.wait(never, 0, 0, Math.max(0, delayMs))
}
