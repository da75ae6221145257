/** Time that must pass because time is what the test is about. */

import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { vi } from 'vitest'

/** Lets at least this much time pass. Where an event would do, wait for that instead. */
export async function outlast(ms: number): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end) await setTimeout(end - performance.now() + 1)
}

/** Resolves when the kernel reports a process in this state: `Z` a zombie, `T` stopped. */
export async function processState(pid: number, state: 'Z' | 'T'): Promise<void> {
  await vi.waitFor(
    async () => {
      const text = await readFile(`/proc/${pid}/stat`, 'utf8')
      const present = text.charAt(text.lastIndexOf(')') + 2)
      if (present !== state) throw new Error(`Expected process ${pid} in state ${state}, got ${present}`)
    },
    { timeout: 30_000, interval: 5 },
  )
}
