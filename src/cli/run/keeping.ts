/** The keeper as `locktester run` sees it: a process that holds the lock for it. What the keeper does is told in keeper.ts. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { onAbort } from '../../locker/abort-listeners.js'
import { codeOf, endsWithin } from '../shared/bounded.js'
import { type Failure, type FromKeeper, type KeepOrder, type Kept, LEASH, type ToKeeper } from './keeper-messages.js'

/** The lock could not be had, or kept. */
export class KeeperError extends Error {
  readonly code: string
  readonly advice: string
  readonly path: string | null

  constructor({ code, message, advice, path }: Failure) {
    super(message)
    this.code = code
    this.advice = advice
    this.path = path
  }
}

export type Outcome = Extract<FromKeeper, { kind: 'kept' | 'released' }>

/** The keeper gives up a release that hangs, and terminating has a limit of its own: this is for a keeper that is stopped. */
const END_LIMIT_MS = 10_000
/** A connection that has no other end any more is read to its end at once. */
const LAST_WORDS_LIMIT_MS = 5000
/** A keeper that takes longer to clean up does so alone. */
const CLOSE_LIMIT_MS = 5000

export class Keeping {
  readonly #process: ChildProcess
  readonly #gone: Promise<KeeperError>
  #isHeld = false
  /** After our end. */
  #goesOn = false
  /**
   * The lock may be lost. `isKeeperGone`: then nothing but this process is left to act on it. To be set before it is acquired: a
   * process that stood still hears of the acquisition and of the loss at once.
   */
  onLost: (message: string, isKeeperGone: boolean) => void = () => {}
  onWaiting: (path: string, holder: string | undefined) => void = () => {}
  onSignal: (signal: NodeJS.Signals) => void = () => {}

  /**
   * Started before it is known what to keep: it takes as long to start as this process did.
   * @param path for a user that lists processes
   */
  constructor(path: string) {
    // Part of the program locktester, which is never bundled: its files are found through the `imports` of the package.
    this.#process = spawn(process.execPath, [fileURLToPath(import.meta.resolve('#keeper')), path], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
      detached: true, // Ctrl+C and Ctrl+Z are for the command
      cwd: '/',
      env: { ...process.env, ...(process.stderr.isTTY && { FORCE_COLOR: '1' }) },
    })
    this.#process.stderr?.pipe(process.stderr, { end: false })
    this.#process.on('message', (message: FromKeeper) => this.#hear(message))
    this.#process.on('error', () => {}) // told by #gone
    this.#leash?.on('error', () => {}) // a keeper that was killed before it had read what the command wrote there
    this.#process.channel?.unref()
    const disconnected = once(this.#process, 'disconnect')
    disconnected.catch(() => {}) // the error of a start
    this.#gone = once(this.#process, 'exit').then(
      async ([code, signal]) => {
        // Its last words may still be on their way.
        await endsWithin(LAST_WORDS_LIMIT_MS, disconnected)
        return gone(`The process that keeps the lock has ended (${signal ?? code}).`)
      },
      (error) => gone(`The process that is to keep the lock cannot be started (${codeOf(error) ?? String(error)}).`),
    )
    void this.#gone.then(({ message }) => {
      if (this.#isHeld) this.onLost(message, true)
    })
  }

  /** Our end of the leash, which the command inherits; the keeper reads the other end. */
  get leash(): number | null {
    const { fd = -1 } = (this.#leash as unknown as { _handle?: { fd?: number } } | undefined)?._handle ?? {}
    return fd === -1 ? null : fd
  }

  /** What /proc shows for it. */
  get leashName(): string | null {
    try {
      return readlinkSync(`/proc/self/fd/${this.leash}`)
    } catch {
      return null
    }
  }

  /** @throws KeeperError */
  async acquire(order: Omit<KeepOrder, 'leash'>, signal: AbortSignal): Promise<Kept> {
    const answer = this.#answer('held', 'failed')
    this.#tell({ kind: 'keep', order: { ...order, leash: this.leashName } })
    const abort = () => this.#tell({ kind: 'abort' })
    const forgetSignal = onAbort(signal, abort)
    const message = await answer
    forgetSignal()
    if (message.kind === 'failed') throw new KeeperError(message.failure)
    this.#isHeld = true
    return message
  }

  started(pid: number): void {
    this.#tell({ kind: 'started', pid })
  }

  /** The command has ended, or was not started: the lock is released, unless other processes hold the leash. */
  async end(limitMs: number): Promise<Outcome | null> {
    this.#isHeld = false
    const outcome = this.#answer('kept', 'released').catch(() => null)
    await this.#letGo()
    this.#tell({ kind: 'ended' })
    const told = (await endsWithin(limitMs + END_LIMIT_MS, outcome)) ? await outcome : null
    this.#goesOn = told?.kind === 'kept'
    return told
  }

  /** Waits until it has cleaned up, unless it goes on. */
  async close(): Promise<void> {
    await this.#letGo()
    if (this.#process.connected) this.#process.disconnect()
    if (!this.#goesOn) await endsWithin(CLOSE_LIMIT_MS, this.#gone)
  }

  get #leash(): Socket | undefined {
    // Where the start has failed for want of descriptors, there are none, whatever the types say.
    const { stdio } = this.#process as { stdio?: readonly unknown[] }
    return stdio?.[LEASH] as Socket | undefined
  }

  async #letGo(): Promise<void> {
    const leash = this.#leash
    if (leash === undefined || leash.closed) return
    const closed = new Promise((resolve) => leash.once('close', resolve))
    leash.destroy()
    await closed
  }

  #tell(message: ToKeeper): void {
    if (this.#process.connected) this.#process.send(message, () => {}) // it may be gone at any time
  }

  /** The next message of these kinds. @throws KeeperError if the keeper ends before */
  async #answer<Kind extends FromKeeper['kind']>(...kinds: Kind[]): Promise<Extract<FromKeeper, { kind: Kind }>> {
    let hear!: (message: FromKeeper) => void
    const heard = new Promise<Extract<FromKeeper, { kind: Kind }>>((resolve) => {
      hear = (message) => {
        if ((kinds as string[]).includes(message.kind)) resolve(message as Extract<FromKeeper, { kind: Kind }>)
      }
    })
    this.#process.on('message', hear)
    const first = await Promise.race([heard, this.#gone])
    this.#process.off('message', hear)
    if (first instanceof KeeperError) throw first
    return first
  }

  #hear(message: FromKeeper): void {
    if (message.kind === 'waiting') this.onWaiting(message.path, message.holder)
    if (message.kind === 'lost') this.onLost(message.message, false)
    if (message.kind === 'signal') this.onSignal(message.signal)
  }
}

function gone(message: string): KeeperError {
  return new KeeperError({ code: 'KEEPER_GONE', message, advice: '', path: null })
}
