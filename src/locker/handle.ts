/** The handle of a held lock. */

import { fromCallersLine } from '../advice/callers-line.js'
import { isAnyLockedHere, isLockedHere } from '../advisory/process-registry.js'
import { fileAt, readFresh, replaceFile } from '../drivers/coherent-files.js'
import { randomName } from '../drivers/identity.js'
import type { Lane } from '../drivers/lane.js'
import { fileSystemAt } from '../drivers/mount-info.js'
import { runCalls } from '../drivers/run.js'
import { type Work, runAsynchronously, runBlocking } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { checkArgument, type Form, PATH } from '../config/options.js'
import { InvalidArgumentError, type LockFileSystemError, LockLostError, type LostReason } from '../errors.js'
import type { Hold } from '../lock-type/lock-type.js'
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

const DATA: Form = {
  isMet: (value) => typeof value === 'string' || value instanceof Uint8Array,
  expected: 'a string or a Uint8Array',
}

export class LockHandle implements Lock {
  readonly path: string
  readonly #hold: Hold
  readonly #keeper: LockKeeper
  // Made when it is asked for: thousands of locks may be held.
  #controller: AbortController | undefined
  #pending: Promise<ReleaseResult> | undefined
  #result: ReleaseResult | undefined
  /** Why it cannot be told whether it was released. */
  #failure: unknown
  #released = false
  /** Its user has asked, and was told of the loss. */
  #isLossTold = false

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
      if (reason !== null) this.#tell(reason)
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
    if (!this.held) throw fromCallersLine(this.tellLoss())
  }

  /** To be thrown, of a lock that is not held: what is wrong with it, which is the reason of its signal where that is aborted. */
  tellLoss(): LockLostError {
    this.#isLossTold = true
    const { reason } = this.signal
    return reason instanceof LockLostError ? reason : new LockLostError(this.path, this.#hold.lostReason() ?? 'closed')
  }

  async readFile(path: string): Promise<Buffer> {
    try {
      return await this.#readFile(path)
    } catch (error) {
      throw fromCallersLine(error, undefined, isError)
    }
  }

  async #readFile(path: string): Promise<Buffer> {
    checkArgument('the path of `readFile`', PATH, path)
    this.assertHeld()
    const { coherent, lane } = await this.#keeper.fileSystemOf(path)
    if (isAnyLockedHere()) await refuseToRead(path, lane)
    const contents = await runCalls(readFresh(path, coherent), lane)
    this.assertHeld()
    return contents
  }

  async replaceFile(path: string, data: string | Uint8Array): Promise<void> {
    try {
      await this.#replaceFile(path, data)
    } catch (error) {
      throw fromCallersLine(error, undefined, isError)
    }
  }

  async #replaceFile(path: string, data: string | Uint8Array): Promise<void> {
    checkArgument('the path of `replaceFile`', PATH, path)
    checkArgument('the data of `replaceFile`', DATA, data)
    this.assertHeld()
    const { lane } = await this.#keeper.fileSystemOf(path)
    const { ownFile } = this.#hold
    if (ownFile !== undefined) await refuseToReplace(ownFile, path, lane)
    const calls = replaceFile(path, randomName(), data, () => this.assertHeld())
    await runCalls(calls, lane)
  }

  release(): Promise<ReleaseResult> {
    this.#pending ??= this.#result === undefined ? this.#bounded(this.#release()) : Promise.resolve(this.#result)
    return this.#pending
  }

  releaseSync(): ReleaseResult {
    if (this.#result !== undefined) return this.#result
    try {
      if (this.#failure !== undefined) throw this.#failure
      // One that is under way cannot be waited for while the thread is blocked; it will be done.
      if (this.#pending !== undefined) return { lost: this.#hold.lostReason() !== null }
      return runBlocking(this.#release())
    } catch (error) {
      throw fromCallersLine(error)
    }
  }

  *#release(): Work<ReleaseResult> {
    this.#released = true
    try {
      const reason = yield* this.#hold.release()
      if (reason !== null) this.#controller?.abort(new LockLostError(this.path, reason))
      this.#result = { lost: reason !== null }
      this.#keeper.onReleased(this, this.#result)
      return this.#result
    } catch (error) {
      this.#failure = error
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
      throw fromCallersLine(patience.isOver ? notGivenBack(this.path, this.#keeper.releaseMsMax) : error)
    } finally {
      patience.done()
    }
  }

  #lose(reason: LostReason): void {
    this.#keeper.onLost(this, reason)
    if (this.#controller !== undefined) this.#tell(reason)
  }

  #tell(reason: LostReason): void {
    this.#isLossTold = true
    this.#controller?.abort(new LockLostError(this.path, reason))
  }

  /** The result of a release is not seen here: a loss that its user was not told of must not pass for a release. */
  async [Symbol.asyncDispose](): Promise<void> {
    const wasLossTold = this.#isLossTold
    this.#throwUnlessTold(await this.release(), wasLossTold)
  }

  [Symbol.dispose](): void {
    const wasLossTold = this.#isLossTold
    this.#throwUnlessTold(this.releaseSync(), wasLossTold)
  }

  #throwUnlessTold({ lost }: ReleaseResult, wasLossTold: boolean): void {
    if (lost && !wasLossTold) throw fromCallersLine(this.tellLoss())
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

/** Those of files are Node's own, and have no stack at all. */
const isError = (error: unknown): error is Error => error instanceof Error

function notGivenBack(path: string, limitMs: number): LockFileSystemError {
  const cause = new Error(`it was not given back within ${limitMs} ms`)
  return fileSystemError({ action: 'release', path, errno: 'ETIMEDOUT', fileSystem: fileSystemAt(path), cause })
}

/** What this process has locked by fcntl, through this lock or another, would be let go of. @throws InvalidArgumentError */
async function refuseToRead(path: string, lane: Lane): Promise<void> {
  const there = await runCalls(fileAt(path), lane)
  if (there === null || !isLockedHere(there)) return
  throw new InvalidArgumentError(
    `Expected the path of another file to read, got one that this process has locked: ${path}`,
    "Lock a file beside it, or with advisoryKind: 'flock' (not on SMB): an fcntl lock ends once its process closes the file.",
  )
}

/** The lock would be on a file that no other process finds. @throws InvalidArgumentError */
async function refuseToReplace(own: { dev: number; ino: number }, path: string, lane: Lane): Promise<void> {
  const there = await runCalls(fileAt(path), lane)
  if (there === null || there.dev !== own.dev || there.ino !== own.ino) return
  throw new InvalidArgumentError(
    `Expected the path of another file to replace, got the one that is locked: ${path}`,
    'Lock a file beside it: an advisory lock is on the file itself, and would be on none that others find.',
  )
}
