/**
 * What happens when the process ends: everything held is released, in bounded time, and the process then ends with the
 * status or signal that it would have had without us. SIGKILL leaves no time for that: then others find out.
 */

import { isMainThread } from 'node:worker_threads'
import { onExit } from 'signal-exit'
import { endAllSessions } from './drivers/mount.js'

/** A mount that does not answer within this time is taken to hang. */
const END_MS_MAX = 2000

const cleanups = new Set<() => void>()
let installed = false

/** Runs `cleanup`, which must be quick and blocking, when the process ends. Returns how to take that back. */
export function atExit(cleanup: () => void): () => void {
  install()
  cleanups.add(cleanup)
  return () => cleanups.delete(cleanup)
}

function install(): void {
  if (installed) return
  installed = true
  // Signals reach the main thread only; a thread that ends takes its sessions with it.
  if (isMainThread) onExit((_code, signal) => end(signal === null), { alwaysLast: true })
  else process.once('exit', () => end(false))
}

function end(isExit: boolean): void {
  const ended = endAllSessions(END_MS_MAX)
  for (const cleanup of cleanups) cleanup()
  if (ended || !isExit) return
  // Node waits for its threads before it exits, and a thread in a dead mount never returns. Only a signal ends it.
  process.stderr.write(
    'mountlock: a file system does not answer, so this process ends by SIGKILL instead of waiting for it for ever.\n',
  )
  process.kill(process.pid, 'SIGKILL')
}
