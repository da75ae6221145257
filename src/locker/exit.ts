/**
 * What happens when the process ends: everything held is released, in bounded time, and the process then ends with the
 * status or signal that it would have had without us. SIGKILL leaves no time for that: then others find out.
 */

import { isMainThread } from 'node:worker_threads'
import { onExit } from 'signal-exit'
import { kill } from '../drivers/identity.js'
import { say } from '../log/talk.js'
import { endAllSessions } from '../mounts/mount.js'

/** A mount that does not answer within this time is taken to hang. Chosen: a user waits for the end of a program no longer. */
const END_MS_MAX = 2000

/** Called before everything is released; what it returns is called afterwards. Both must be quick and blocking. */
type CleanUp = () => () => void

const cleanups = new Set<CleanUp>()
let installed = false

/** Runs `cleanup` when the process ends. Returns how to take that back. */
export function atExit(cleanup: CleanUp): () => void {
  install()
  cleanups.add(cleanup)
  return () => cleanups.delete(cleanup)
}

function install(): void {
  if (installed) return
  installed = true
  // Signals reach the main thread only; a thread that ends takes its sessions with it. To the first process of a container
  // a signal without a listener does nothing, and it would do nothing after our listener had sent it again.
  const isSignalled = isMainThread && process.pid !== 1
  if (isSignalled) {
    onExit((code, signal) => end(signal === null ? (code ?? 0) : null), { alwaysLast: true })
    leaveExitCodeToNode()
  } else process.once('exit', (code) => end(isMainThread ? code : null))
}

/**
 * `signal-exit` sets `process.exitCode` before the listeners of 'exit' are called, and one of these is Node's own, which sets
 * 13 where the program waits for something that will never come (a top-level await), unless a status is set already.
 */
function leaveExitCodeToNode(): void {
  const { emit } = process
  let isOpen = false
  process.emit = ((event: string, ...args: unknown[]) => {
    if (event === 'exit') isOpen = process.exitCode === undefined && args[0] === 0
    return Reflect.apply(emit, process, [event, ...args])
  }) as typeof process.emit
  process.prependListener('exit', () => {
    if (isOpen) process.exitCode = undefined
  })
}

/** `status`: with which the process exits; `null` if it ends in a way that waits for no thread. */
function end(status: number | null): void {
  const afterwards = [...cleanups].map((cleanup) => cleanup())
  const ended = endAllSessions(END_MS_MAX)
  for (const cleanup of afterwards) cleanup()
  if (!ended && status !== null) endWithoutWaiting(status)
}

/** Node waits for its threads before it exits, and a thread in a dead mount never returns. */
function endWithoutWaiting(status: number): void {
  say('mountlock: a file system does not answer, so this process ends without waiting for it.')
  // Another program in our place, threads and all: it keeps the exit status. Node has this since 22.15.
  const { execve } = process as { execve?: (file: string, args: string[]) => never }
  execve?.('/bin/sh', ['sh', '-c', `exit ${status}`])
  kill(process.pid, 'SIGKILL')
}
