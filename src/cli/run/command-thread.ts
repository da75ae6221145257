/**
 * The thread that starts the command and waits for it. Why a thread: only `spawnSync` tells a command that a real-time signal
 * has ended from one that ended well (Node has no name for these signals, and `spawn` gives an exit code of 0 for both).
 */

import { spawnSync } from 'node:child_process'
import { parentPort, workerData } from 'node:worker_threads'

export interface StartOrder {
  command: readonly string[]
  env: NodeJS.ProcessEnv
  stdio: (number | 'ignore')[]
}

export interface CommandEnd {
  /** Why it could not be started. */
  errno: string | null
  /** `null` when a signal ended it. */
  code: number | null
  /** Empty for one that Node has no name for. */
  signal: NodeJS.Signals | '' | null
}

if (workerData instanceof Int32Array) {
  Atomics.store(workerData, 0, 1)
  Atomics.notify(workerData, 0)
}

parentPort?.once('message', ({ command: [file = '', ...args], env, stdio }: StartOrder) => {
  parentPort?.postMessage(end(() => spawnSync(file, args, { env, stdio })))
})

function end(start: () => ReturnType<typeof spawnSync>): CommandEnd {
  try {
    const { error, status, signal } = start()
    return { errno: error === undefined ? null : errnoOf(error), code: status, signal }
  } catch (error) {
    return { errno: errnoOf(error), code: null, signal: null } // some errors come at once, such as a name with a NUL
  }
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EINVAL'
}
