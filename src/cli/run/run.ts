/**
 * `locktester run`: acquires, runs the command, releases, and ends as the command did. What it promises: the command is not
 * started without the lock, and does not go on without it longer than --kill-after, unless this process itself is killed
 * by a signal that cannot be caught; against that only the fencing token protects.
 */

import { subscribe } from 'node:diagnostics_channel'
import { basename, resolve } from 'node:path'
import { loadConfig } from '../../config/load.js'
import { AbortError, LockTimeoutError, MountlockError } from '../../errors.js'
import { createLocker } from '../../locker/locker.js'
import type { LockEvent } from '../../log/events.js'
import type { Lock, Locker, LockType } from '../../types.js'
import { endsWithin } from '../shared/bounded.js'
import { EXIT } from '../shared/exit-codes.js'
import { dieBySignal, endProcess } from '../shared/interrupt.js'
import { messageOf } from '../shared/output.js'
import { commonOptions, refuseErrors } from '../shared/settings.js'
import { Child, type Ending, NotStartedError } from './child.js'
import { SignalRelay } from './signals.js'
import * as words from './print.js'

export interface RunOptions {
  path: string
  command: readonly string[]
  config: string | undefined
  /** `undefined`: as the configuration says. */
  lockType: LockType | undefined
  useSymlinks: boolean | undefined
  shared: boolean
  label: string | undefined
  /** `null`: without end. */
  waitMs: number | null
  conflictExitCode: number
  onLoss: 'terminate' | 'ignore'
  killAfterMs: number
}

/** The longest wait that the library knows; who waits without end begins again. */
const WAIT_MS_MAX = 2 ** 31 - 1
const CLEAN_UP_LIMIT_MS = 5000

/** Runs the command and ends the process. */
export async function runCommand(options: RunOptions): Promise<void> {
  const config = loadConfig({ file: options.config })
  const refusal = refuseErrors(config)
  if (refusal !== null) return endProcess(refusal)
  const relay = new SignalRelay()
  let locker: Locker | null = null
  let ending: Ending
  try {
    locker = createLocker({
      ...commonOptions(config.settings),
      lockType: options.lockType ?? config.settings.lockType,
      useSymlinks: options.useSymlinks ?? config.settings.useSymlinks,
      label: options.label ?? basename(options.command[0] as string),
    })
    if (process.stderr.isTTY) subscribe('mountlock:wait', (event) => words.waiting(event as LockEvent))
    ending = await runUnder(await acquire(locker, options, relay.signal), options, relay)
  } catch (error) {
    ending = failure(error, options, relay)
  }
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, locker?.close() ?? Promise.resolve())
  if (ending.signal !== null) dieBySignal(ending.signal)
  else await endProcess(ending.code, !isClean)
}

/** @throws LockTimeoutError when it is not to be had in time */
async function acquire(locker: Locker, { path, waitMs, shared }: RunOptions, signal: AbortSignal): Promise<Lock> {
  for (;;) {
    try {
      return await locker.acquire(resolve(path), { shared, signal, waitMs: waitMs ?? WAIT_MS_MAX })
    } catch (error) {
      if (waitMs !== null || !(error instanceof LockTimeoutError)) throw error
    }
  }
}

async function runUnder(lock: Lock, options: RunOptions, relay: SignalRelay): Promise<Ending> {
  const { command, onLoss, killAfterMs } = options
  relay.signal.throwIfAborted() // it came at the last moment: nothing is started
  const child = new Child(command, environment(lock))
  relay.passTo(child)
  let isTerminated = false
  const onLost = () => {
    words.lost(lock.signal.reason, command, onLoss)
    isTerminated = onLoss === 'terminate'
    if (isTerminated) child.terminate(killAfterMs)
  }
  if (lock.signal.aborted) onLost()
  else lock.signal.addEventListener('abort', onLost, { once: true })
  try {
    const ending = await child.ending
    await child.allTerminated
    return isTerminated ? { code: EXIT.lost, signal: null } : ending
  } finally {
    lock.signal.removeEventListener('abort', onLost)
    if (!(await endsWithin(CLEAN_UP_LIMIT_MS, release(lock, command)))) words.notReleased(lock.path)
  }
}

/** A loss that nobody noticed while the command ran is told: what it wrote last may not have been protected. */
async function release(lock: Lock, command: readonly string[]): Promise<void> {
  const wasLost = lock.signal.aborted
  const { lost } = await lock.release()
  if (lost && !wasLost) words.lostAtTheEnd(lock.path, command)
}

function environment({ token }: Lock): NodeJS.ProcessEnv {
  // A token that we inherited would be that of another lock.
  const { MOUNTLOCK_TOKEN: _, ...env } = process.env
  return token === null ? env : { ...env, MOUNTLOCK_TOKEN: String(token) }
}

function failure(error: unknown, { conflictExitCode, command }: RunOptions, relay: SignalRelay): Ending {
  const end = (code: number): Ending => ({ code, signal: null })
  if (relay.received !== null && (error instanceof AbortError || relay.signal.reason === error)) {
    return { code: 0, signal: relay.received }
  }
  if (error instanceof LockTimeoutError) {
    words.conflict(error)
    return end(conflictExitCode)
  }
  if (error instanceof NotStartedError) {
    words.notStarted(command, error)
    return end(error.isMissing ? EXIT.notFound : EXIT.notExecutable)
  }
  if (!(error instanceof MountlockError)) throw error
  words.error(messageOf(error))
  return end(error.code === 'INVALID_ARGUMENT' ? EXIT.usage : EXIT.cannotLock)
}
