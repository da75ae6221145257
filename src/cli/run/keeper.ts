/**
 * The keeper: the process that holds the lock, from the start to the end. `locktester run` starts it, and the command holds
 * one end of the leash, a connection of which the keeper has the other end. Every process that the command starts inherits it, as
 * it inherits the locked descriptor of flock(1). Once the last of them is gone, the leash breaks, and the lock is released.
 *
 * What this promises, whichever process is killed:
 * - `locktester run`: the lock is held until the command and its children are gone; when it is lost before, the keeper
 *   terminates them.
 * - the keeper: the lock is free; `locktester run` sees it, and terminates the command.
 * - the command: its children keep the lock, if they hold the leash.
 *
 * It never outlives the leash, but for the seconds that a release may take, nor a lost lock, once the processes have been
 * terminated that had it. Before the lock is held, it ends with `locktester run`. It belongs to no terminal, and a signal
 * that it gets is the command's.
 */

import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { LockTimeoutError, MountlockError } from '../../errors.js'
import { createLocker } from '../../locker/locker.js'
import type { LockEvent } from '../../log/events.js'
import { createLogger } from '../../log/logger.js'
import type { Locker } from '../../types.js'
import { endsWithin } from '../shared/bounded.js'
import { endProcess } from '../shared/interrupt.js'
import { inheritedDescriptors } from './descriptors.js'
import { Family } from './family.js'
import { type Failure, type FromKeeper, type KeepOrder, LEASH, type ToKeeper } from './keeper-messages.js'
import { acquireAll, asOne, type HeldLocks } from './workbench-locks.js'
import { ENDING_SIGNALS } from './signals.js'
import { guardStreams } from '../shared/streams.js'
import { speakAs } from '../shared/speaker.js'
import { EXIT } from '../shared/exit-codes.js'
import { describeUnexpected, guardProcess } from '../shared/unexpected.js'

/** The longest wait that the library knows; a wait without end begins again. */
const WAIT_MS_MAX = 2 ** 31 - 1
const CLEAN_UP_LIMIT_MS = 5000

/** `locktester run`, our parent. */
const RUN = process.ppid
const aborter = new AbortController()
/** Of the command, as long as `locktester run` is its parent: afterwards the number may be another process's. */
let commandPid: number | null = null
/** The command is over: a loss that shows from now on is told with the answer to the release. */
let isReleasing = false
/** Settled while there is nothing to terminate. */
let terminated: Promise<void> = Promise.resolve()
/** Once the lock is lost: a command may have been started just then, and its start be told only now. */
let terminateAll: (() => Promise<void>) | null = null
/** `locktester run` has ended, or wants no more. */
const disconnected = once(process, 'disconnect')

function tell(message: FromKeeper): void {
  if (process.connected) process.send?.(message, () => {}) // `locktester run` may end at any time
}

/** From the first message to the end of the process. */
async function keep(order: KeepOrder, leash: Leash): Promise<void> {
  let locker: Locker | null = null
  try {
    locker = createLocker(order.locker)
    const lock = await acquire(locker, order)
    tell({ kind: 'held', token: lock.token === null ? null : String(lock.token), paths: lock.paths })
    const lossIsOver = watch(lock, order)
    await Promise.race([leash.broken, lossIsOver])
    await terminated
    await release(lock)
  } catch (error) {
    tell({ kind: 'failed', failure: failureOf(error) })
  }
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, locker?.close() ?? Promise.resolve())
  if (process.connected) process.disconnect()
  await endProcess(0, !isClean)
}

async function acquire(locker: Locker, { path, workbench, shared, waitMs }: KeepOrder): Promise<HeldLocks> {
  if (workbench !== null) return await acquireAll(locker, { named: workbench, waitMs }, aborter.signal)
  for (;;) {
    try {
      const lock = await locker.acquire(path, { shared, signal: aborter.signal, waitMs: waitMs ?? WAIT_MS_MAX })
      return asOne([lock])
    } catch (error) {
      if (waitMs !== null || !(error instanceof LockTimeoutError)) throw error
    }
  }
}

async function release(lock: HeldLocks): Promise<void> {
  const wasLost = lock.signal.aborted
  isReleasing = true
  // One that fails is no release either.
  const releasing = lock.release().catch(() => null)
  const result = (await endsWithin(CLEAN_UP_LIMIT_MS, releasing)) ? await releasing : null
  tell({ kind: 'released', lost: !wasLost && result?.lost === true, isClean: result !== null })
}

/** @returns once a loss has had its consequences and been told: what still holds the leash then, holds nothing by it */
async function watch({ signal, path, lockType, token }: HeldLocks, order: KeepOrder): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
  if (isReleasing) return
  tell({ kind: 'lost', message: (signal.reason as Error).message })
  if (order.onLoss === 'terminate') {
    terminateAll = () => terminate({ path, lockType, token }, order)
    terminated = terminateAll()
  }
  await terminated
  await disconnected
}

/** The command and all that it has left behind. */
async function terminate(
  lock: Pick<HeldLocks, 'path' | 'lockType' | 'token'>,
  { killAfterMs, leash, locker }: KeepOrder,
): Promise<void> {
  const family = new Family({ pid: commandPid, leash, run: RUN })
  const { enableLogging = false, logFile = null } = locker
  const logger = createLogger({ enableLogging, logFile })
  const detail = 'terminating the command and what it has started'
  logger.log({ event: 'lost', outcome: 'terminating', detail, ...lock })
  await family.terminate(killAfterMs)
  await logger.close()
}

function failureOf(error: unknown): Failure {
  if (error instanceof MountlockError) {
    const { code, message, advice, path = null } = error
    return { code, message, advice, path }
  }
  const { text, code } = describeUnexpected(error)
  return { code: code === EXIT.internal ? 'UNEXPECTED' : 'REFUSED', message: text, advice: '', path: null }
}

/** Our end of it. */
class Leash {
  #isBroken = false
  /** Once no process holds the other end. */
  readonly broken: Promise<void>

  constructor(fd: number) {
    const socket = new Socket({ fd, readable: true, writable: false })
    socket.on('error', () => {}) // broken as well
    this.broken = once(socket, 'close').then(() => {
      this.#isBroken = true
    })
    socket.resume() // what is written into it means nothing
  }

  /**
   * Whether it is broken by now: the news of what happened before this call has arrived with the next turns of the event
   * loop.
   */
  async isBroken(): Promise<boolean> {
    for (let turns = 1; turns <= 3 && !this.#isBroken; turns++) await turn()
    return this.#isBroken
  }
}

function hearStart(pid: number): void {
  commandPid = pid
  if (terminateAll !== null) terminated = terminateAll()
}

async function answerEnd(leash: Leash): Promise<void> {
  commandPid = null
  await terminated
  if (!(await leash.isBroken())) tell({ kind: 'kept' })
}

/** Descriptors of our parent's that Node has not marked close-on-exec: other processes may wait for their end. */
function closeInherited(): void {
  for (const fd of inheritedDescriptors()) {
    if (fd > LEASH) closeSync(fd)
  }
}

function main(): void {
  if (!process.connected) process.exit() // `locktester run` ended while this process started
  closeInherited()
  const leash = new Leash(LEASH)
  let order: KeepOrder | null = null
  guardStreams() // they are those of `locktester run`, which may be gone
  guardProcess()
  speakAs('run')
  for (const signal of ENDING_SIGNALS) {
    process.on(signal, () => {
      if (process.connected) tell({ kind: 'signal', signal })
      else if (order !== null) new Family({ pid: commandPid, leash: order.leash, run: RUN }).signal(signal)
    })
  }
  subscribe('mountlock:wait', (event) => {
    const { path, detail } = event as LockEvent
    tell({ kind: 'waiting', path, holder: detail })
  })
  process.on('disconnect', () => {
    aborter.abort()
    commandPid = null
    if (order === null) process.exit()
  })
  process.on('message', (message: ToKeeper) => {
    if (message.kind === 'keep') void keep((order = message.order), leash)
    else if (message.kind === 'abort') aborter.abort()
    else if (message.kind === 'started') hearStart(message.pid)
    else void answerEnd(leash)
  })
}

main()
