/** The handle of a held lock. */

import { readFresh, replaceFile } from '../drivers/coherent-files.js'
import { randomName } from '../drivers/identity.js'
import type { Lane } from '../drivers/lane.js'
import { runCalls } from '../drivers/run.js'
import { type Work, runAsynchronously, runBlocking } from '../drivers/work.js'
import { fileSystemError, LockLostError, type LostReason } from '../errors.js'
import type { Hold } from '../lock-type/lock-type.js'
import { fromCallersLine } from './callers-line.js'
import { Patience } from './patience.js'
import type { Lock, LockType, ReleaseResult } from '../types.js'

/** What the locker does around a lock: see `held-locks.ts`. */
export interface LockKeeper {
  readonly lockType: LockType
  onReleased(lock: LockHandle, result: ReleaseResult): void
  /** It cannot be told whether it was released. */
  onReleaseFailed(lock: LockHandle, error: unknown): void
  onLost(lock: LockHandle, reason: LostReason): void
  /** How far the file system that a file is on can be believed, and the way to it. */
  fileSystemOf(path: string): Promise<{ coherent: boolean; lane: Lane }>
  /** A release that takes longer than this is reported as an error, and settled later. */
  readonly releaseMsMax: number
}

export class LockHandle implements Lock {
  readonly path: string
  readonly #hold: Hold
  readonly #keeper: LockKeeper
  // Made when it is asked for: thousands of locks may be held.
  #controller: AbortController | undefined
  #pending: Promise<ReleaseResult> | undefined
  #result: ReleaseResult | undefined
  #released = false

  constructor(path: string, hold: Hold, keeper: LockKeeper) {
    this.path = path
    this.#hold = hold
    this.#keeper = keeper
    hold.onLost = (reason) => this.#lose(reason)
  }

  get lockType(): LockType {
    return this.#keeper.lockType
  }

  get token(): bigint | null {
    return this.#hold.token
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      const reason = this.#hold.lostReason()
      if (reason !== null) this.#controller.abort(new LockLostError(this.path, reason))
    }
    return this.#controller.signal
  }

  get remainingMs(): number {
    return this.#released ? 0 : this.#hold.remainingMs()
  }

  get held(): boolean {
    return this.remainingMs > 0
  }

  assertHeld(): void {
    if (!this.held) throw new LockLostError(this.path, this.#hold.lostReason() ?? 'closed')
  }

  async readFile(path: string): Promise<Buffer> {
    this.assertHeld()
    const { coherent, lane } = await this.#keeper.fileSystemOf(path)
    const contents = await runCalls(readFresh(path, coherent), lane)
    this.assertHeld()
    return contents
  }

  async replaceFile(path: string, data: string | Uint8Array): Promise<void> {
    this.assertHeld()
    const { lane } = await this.#keeper.fileSystemOf(path)
    const calls = replaceFile(path, randomName(), data, () => this.assertHeld())
    await runCalls(calls, lane)
  }

  release(): Promise<ReleaseResult> {
    this.#pending ??= this.#result === undefined ? this.#bounded(this.#release()) : Promise.resolve(this.#result)
    return this.#pending
  }

  releaseSync(): ReleaseResult {
    // One that is under way cannot be waited for while the thread is blocked; it will be done.
    if (this.#pending !== undefined) return { lost: this.#hold.lostReason() !== null }
    try {
      this.#result ??= runBlocking(this.#release())
      return this.#result
    } catch (error) {
      throw fromCallersLine(error)
    }
  }

  *#release(): Work<ReleaseResult> {
    this.#released = true
    try {
      const result = { lost: (yield* this.#hold.release()) !== null }
      this.#keeper.onReleased(this, result)
      return result
    } catch (error) {
      this.#keeper.onReleaseFailed(this, error)
      throw error
    }
  }

  async #bounded(releasing: Work<ReleaseResult>): Promise<ReleaseResult> {
    const first = releasing.next()
    if (first.done) return first.value
    const patience = new Patience(this.path, this.#keeper.releaseMsMax)
    try {
      return await patience.race(runAsynchronously(releasing, first))
    } catch (error) {
      throw fromCallersLine(patience.isOver ? fileSystemError('rename', this.path, 'ETIMEDOUT') : error)
    } finally {
      patience.done()
    }
  }

  #lose(reason: LostReason): void {
    this.#keeper.onLost(this, reason)
    this.#controller?.abort(new LockLostError(this.path, reason))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  [Symbol.dispose](): void {
    this.releaseSync()
  }
  /** What `console.log(lock)` shows: `util.inspect.custom`, by the name that it has everywhere. */
  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: object,
    inspect: (value: object, options: object) => string,
  ) {
    const { path, lockType, token, held, remainingMs } = this
    return `Lock ${inspect({ path, lockType, token, held, remainingMs: Math.floor(remainingMs) }, options)}`
  }
}
