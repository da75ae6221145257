/**
 * `locktester run`: has the lock acquired, runs the command, and ends as the command did. A process of its own holds the
 * lock, the keeper, because the lock may have to outlive this process: while processes go on that the command has left
 * behind, or when this process is killed. What that promises is told in keeper.ts.
 *
 * The command is not started without the lock, and does not go on without it longer than --kill-after, unless the keeper and
 * this process are both killed by a signal that cannot be caught; against that only the fencing token protects.
 */

import { present } from '../../assert.js'
import { basename, resolve } from 'node:path'
import type { ConfigSettings } from '../../config/settings.js'
import type { LockType } from '../../types.js'
import { EXIT } from '../shared/exit-codes.js'
import { dieBySignal, endProcess } from '../shared/interrupt.js'
import { commonOptions, loadNamedConfig, refuseErrors } from '../shared/settings.js'
import { UsageError } from '../shared/usage.js'
import { Child, type Ending, NotStartedError } from './child.js'
import { inheritedDescriptors, stdioOf } from './descriptors.js'
import { Family } from './family.js'
import type { KeepOrder, OnLoss } from './keeper-messages.js'
import { KeeperError, Keeping } from './keeping.js'
import * as words from './print.js'
import { withRawWords } from './raw-words.js'
import { SignalRelay } from './signals.js'
import { holderLines } from './workbench-holders.js'
import { newSessions } from './workbench-locks.js'

export interface RunOptions {
  path: string
  /** Locks that Workbench respects, too. */
  workbench?: true
  /** With `workbench`, in place of `path`: files, and directories of which all is meant that Workbench locks below. */
  paths?: readonly string[]
  command: readonly string[]
  config: string | undefined
  /** `undefined`: as the configuration says. */
  lockType: LockType | undefined
  useSymlinks: boolean | undefined
  shared: boolean
  /** The command is run without the lock, as flock(1) does it. */
  unlock: boolean
  label: string | undefined
  /** `null`: without end. */
  waitMs: number | null
  conflictExitCode: number
  /** What the command leaves behind does not keep the lock. */
  close: boolean
  verbose: boolean
  onLoss: OnLoss
  killAfterMs: number
}

/** Where the leash is among the descriptors of the command: shell scripts open their own files below. */
const LEASH_PLACE = 10

/** Runs the command and ends the process. */
export async function runCommand(options: RunOptions): Promise<void> {
  const descriptors = inheritedDescriptors() // before anything of ours is open
  const config = loadNamedConfig(options.config)
  const refusal = refuseErrors(config)
  if (refusal !== null) return endProcess(refusal)
  const lockType = options.lockType ?? config.settings.lockType
  if (options.shared && lockType !== 'advisory') throw new UsageError(words.alwaysExclusive(lockType))
  const rawCommand = withRawWords(options.command)
  const relay = new SignalRelay()
  const keeping = options.unlock ? null : new Keeping(resolve(options.path))
  const child = new Child() // after the keeper
  const run: Run = { options, rawCommand, relay, child, descriptors }
  let ending: Ending
  try {
    if (keeping === null) ending = await runChild(run, null, null)
    else ending = await runKept(run, keeping, orderOf(options, config.settings))
  } catch (error) {
    ending = await failure(error, options, relay)
  }
  await keeping?.close()
  if (ending.signal !== null) dieBySignal(ending.signal)
  else await endProcess(ending.code)
}

interface Run {
  options: RunOptions
  /** As it is started; messages have the one of the options. */
  rawCommand: readonly string[]
  relay: SignalRelay
  child: Child
  descriptors: readonly number[]
}

function orderOf(options: RunOptions, settings: ConfigSettings): Omit<KeepOrder, 'leash'> {
  const { path, paths, workbench, command, shared, waitMs, onLoss, killAfterMs, label } = options
  return {
    path: resolve(path),
    workbench: paths?.map((each) => resolve(each)) ?? null,
    shared,
    waitMs,
    onLoss,
    killAfterMs,
    locker: {
      ...commonOptions(settings),
      ...(workbench === undefined
        ? { lockType: options.lockType ?? settings.lockType }
        : { workbench: { timeoutIntervalMs: settings.timeoutIntervalMs } }),
      ...(options.useSymlinks === undefined ? {} : { useSymlinks: options.useSymlinks }),
      label: label ?? basename(present(command[0], 'a command')),
    },
  }
}

/** Under the lock. @throws KeeperError, NotStartedError */
async function runKept(run: Run, keeping: Keeping, order: Omit<KeepOrder, 'leash'>): Promise<Ending> {
  const { options, relay, child } = run
  const { command, onLoss, killAfterMs } = options
  const losing = listenForLoss(run, keeping)
  keeping.onSignal = (signal) => relay.receive(signal, 'keeper')
  if (options.waitMs !== 0 && (process.stderr.isTTY || options.verbose)) keeping.onWaiting = words.waiting
  const startMs = performance.now()
  const { token, paths } = await keeping.acquire(order, relay.signal)
  if (options.verbose) words.acquired(performance.now() - startMs, command)
  try {
    relay.signal.throwIfAborted() // it came at the last moment: nothing is started
    if (losing.message !== null) return notStartedAfterLoss(losing.message, command)
    losing.isStarted = true
    void child.pid().then((pid) => pid !== null && keeping.started(pid))
    const ending = await runChild(run, token, options.close ? null : keeping.leash)
    await losing.terminated
    if (losing.message !== null && onLoss === 'terminate') return { code: EXIT.lost, signal: null }
    return order.workbench === null ? ending : await unlessSessionsCame(ending, order.workbench, paths)
  } finally {
    const outcome = await keeping.end(killAfterMs)
    const isLost = losing.message !== null
    // A loss that this process did not notice while the command ran is told: what it wrote last may not have been protected.
    if (outcome?.kind === 'released' && outcome.lost && !isLost) words.lostAtTheEnd(order.path, command)
    if (outcome?.kind === 'released' && !outcome.isClean) words.notReleased(order.path)
    if (outcome === null && !isLost) words.notReleased(order.path)
    if (outcome?.kind === 'kept' && options.verbose) words.kept(order.path)
  }
}

/** What has come of the loss of the lock, which may be over before the command is started. */
interface Losing {
  message: string | null
  isStarted: boolean
  terminated: Promise<void>
}

function listenForLoss({ options, child }: Run, keeping: Keeping): Losing {
  const { command, onLoss, killAfterMs } = options
  const losing: Losing = { message: null, isStarted: false, terminated: Promise.resolve() }
  keeping.onLost = (message, isKeeperGone) => {
    if (losing.isStarted && losing.message === null) words.lost(message, command, onLoss)
    losing.message ??= message
    if (isKeeperGone && onLoss === 'terminate') losing.terminated = terminate(child, keeping.leashName, killAfterMs)
  }
  return losing
}

/** Whatever --on-loss says: that is about a command that runs. */
function notStartedAfterLoss(message: string, command: readonly string[]): Ending {
  words.lostBefore(message, command)
  return { code: EXIT.lost, signal: null }
}

/** They are told of while the locks are still held. The command's own failure goes before. */
async function unlessSessionsCame(ending: Ending, named: readonly string[], paths: readonly string[]): Promise<Ending> {
  const hasCome = await newSessions(named, paths).then(words.sessionsCame, words.notListedAgain)
  return hasCome && ending.code === 0 && ending.signal === null ? { code: EXIT.sessionCame, signal: null } : ending
}

async function terminate(child: Child, leash: string | null, killAfterMs: number): Promise<void> {
  await new Family({ pid: await child.pid(), leash, run: process.pid }).terminate(killAfterMs)
}

/** @throws NotStartedError */
async function runChild(
  { rawCommand, relay, child, descriptors }: Run,
  token: string | null,
  leash: number | null,
): Promise<Ending> {
  const running = child.run({ command: rawCommand, env: environment(token), stdio: stdioOf(descriptors, leash, LEASH_PLACE) })
  relay.passTo(child)
  return await running
}

function environment(token: string | null): NodeJS.ProcessEnv {
  // A token that we inherited would be that of another lock.
  const { MOUNTLOCK_TOKEN: _, ...env } = process.env
  return token === null ? env : { ...env, MOUNTLOCK_TOKEN: token }
}

async function failure(
  error: unknown,
  { conflictExitCode, command, waitMs, paths }: RunOptions,
  relay: SignalRelay,
): Promise<Ending> {
  const end = (code: number): Ending => ({ code, signal: null })
  const isAborted = relay.signal.reason === error || (error instanceof KeeperError && error.code === 'ABORT_ERR')
  if (relay.received !== null && isAborted) return { code: 0, signal: relay.received }
  if (error instanceof NotStartedError) {
    words.notStarted(command, error)
    if (error.isRefused) return end(EXIT.cannotLock)
    return end(error.isMissing ? EXIT.notFound : EXIT.notExecutable)
  }
  if (!(error instanceof KeeperError)) throw error
  if (error.code === 'LOCK_TIMEOUT') {
    words.conflict(error, waitMs)
    if (paths !== undefined) words.holders(await holderLines(paths).catch(() => []))
    return end(conflictExitCode)
  }
  words.error(error.message)
  if (error.code === 'UNEXPECTED') return end(EXIT.internal)
  return end(error.code === 'INVALID_ARGUMENT' ? EXIT.usage : EXIT.cannotLock)
}
