/** A lock that is held at a public path: what keeps it, what notices that it is lost, and how it is given back. */

import { monotonicMs, readClock, setImmediate, setTimeout } from '../drivers/clock.js'
import type { Lane } from '../drivers/lane.js'
import type { Ground } from '../drivers/ground.js'
import { fileSystemAt } from '../drivers/mount-info.js'
import { type NameWatch, watchNames } from '../drivers/name-watch.js'
import { runProtocol, runProtocolBlocking } from '../drivers/run.js'
import { eitherWay, runAsynchronously, type Work } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { type LostReason } from '../errors.js'
import type { Hold } from '../lock-type/lock-type.js'
import { footingOn } from '../mounts/directories.js'
import type { Mount } from '../mounts/mount.js'
import { SharedKeeping } from '../mounts/shared-keeping.js'
import { type KeptFile, lookAtName } from '../protocol/kept-file.js'
import { basename, dirname } from 'node:path'
import { RELEASED_TEXT } from './format.js'
import { retract } from './outer.js'

/** What the holder has, beside our own lock. */
interface Outer {
  file: KeptFile
  /** The other name of the file. */
  owner: string
  /** To be called when the file is closed: gives back what goes with its fcntl locks. */
  afterClose: () => Promise<void>
  /** When what counts was written at the latest, by our own clock. */
  beganMs: number
}

/** How often the file is refreshed, and how long one refresh lasts. */
interface Pace {
  everyMs: number
  lastsMs: number
}

interface Terms extends Pace {
  /** Where other users could swap what it lies in. */
  ground: Ground | null
  /** What is to be done when both locks are given back. */
  leave: () => Work<void>
}

/** Their clocks count whole seconds, so that a file may be old a second before its time; and the server may lag behind them. */
const SECOND_MS = 1000
const LAG = 0.97
/** So that some refreshes may fail. */
const REFRESHES = 3
const EVERY_MS_MAX = 10_000

export function paceOf(timeoutMs: number): Pace {
  const lastsMs = (timeoutMs - SECOND_MS) * LAG
  return { everyMs: Math.min(EVERY_MS_MAX, lastsMs / REFRESHES), lastsMs }
}

/** How often a release asks whether the refresh that is under way is over, and for how long: a mount may hang. */
const ASK_MS = 5
const ASK_MS_MAX = 60_000

export class WorkbenchHold implements Hold {
  onLost: ((reason: LostReason) => void) | null = null
  readonly #inner: Hold
  readonly #outer: Outer
  readonly #lane: Lane
  readonly #leave: () => Work<void>
  readonly #ground: Ground | null
  readonly #shared = new SharedKeeping()
  readonly #forget: (() => void) | null
  readonly #watch: NameWatch | null
  #lost: LostReason | null = null
  #released = false
  #isLooking = false
  /** The release that its user did not ask for. */
  #ending: Promise<unknown> | null = null

  constructor(inner: Hold, outer: Outer, mount: Mount, { everyMs, lastsMs, ground, leave }: Terms) {
    this.#inner = inner
    this.#outer = outer
    this.#lane = mount.lane
    this.#leave = leave
    this.#ground = ground
    this.#shared.extendTo(outer.beganMs + lastsMs)
    const { path } = outer.file
    const order = {
      id: outer.owner,
      file: outer.file,
      everyMs,
      lastsMs,
      releasedText: RELEASED_TEXT,
      shared: this.#shared.buffer,
    }
    this.#forget = mount.keepFile(order, (reason) => this.#lose(reason === 'reaped' ? 'reaped' : 'advisory-lost'))
    if (this.#forget === null) this.#lost = 'heartbeat-ended'
    inner.onLost = (reason) => this.#lose(reason)
    this.#watch = watchNames(dirname(path), (name) => {
      if (name === null || name === basename(path)) void this.#look()
    })
  }

  get token(): bigint | null {
    return this.#inner.token
  }

  remainingMs(): number {
    if (this.#released || this.#lost !== null) return 0
    const outerMs = this.#shared.remainingMs()
    if (outerMs <= 0) this.#lose('lease-expired')
    return Math.min(outerMs, this.#inner.remainingMs())
  }

  lostReason(): LostReason | null {
    this.remainingMs()
    return this.#lost ?? this.#inner.lostReason()
  }

  #lose(reason: LostReason): void {
    if (this.#lost !== null || this.#released) return
    this.#lost = reason
    this.#stop()
    this.onLost?.(reason)
    // Its user may do nothing more with it, and our own lock would keep all others of ours out. In the next turn, because it may
    // be a release that has just found out.
    setImmediate(() => void this.end(reason))
  }

  /** From now on nothing is refreshed, unless it is under way. */
  #stop(): void {
    this.#forget?.()
    this.#watch?.close()
  }

  /** As {@link look}. */
  lookBlocking(): void {
    if (runProtocolBlocking(lookAtName(this.#outer.file)) === 'reaped') this.#lose('reaped')
  }

  /** Looks whether the public name is still ours: after it was published, and when something happens to it. */
  async look(): Promise<void> {
    if ((await runProtocol(lookAtName(this.#outer.file), this.#lane)) === 'reaped') this.#lose('reaped')
  }

  async #look(): Promise<void> {
    if (this.#isLooking || this.#released) return
    this.#isLooking = true
    await this.look().catch(() => {}) // the refreshes look as well
    this.#isLooking = false
  }

  *release(): Work<LostReason | null> {
    const lost = this.lostReason()
    if (this.#released) {
      yield* eitherWay<unknown>(
        () => undefined,
        async () => await this.#ending,
      )
      return lost
    }
    this.#released = true
    this.#stop()
    try {
      const failure = yield* this.#giveBackOuter()
      const innerLost = yield* this.#inner.release()
      if (failure !== null && lost === null) throw failure
      return lost ?? innerLost
    } finally {
      yield* this.#leave()
    }
  }

  *#giveBackOuter(): Work<Error | null> {
    yield* eitherWay<void>(
      () => this.#takeBackBlocking(),
      () => this.#takeBack(),
    )
    const { file, owner, afterClose } = this.#outer
    const retracted = yield* eitherWay(
      () => runProtocolBlocking(retract(file, owner, process.pid), undefined, footingOn(this.#ground)),
      () => runProtocol(retract(file, owner, process.pid), this.#lane, undefined, footingOn(this.#ground)),
    )
    yield* eitherWay<void>(
      () => void afterClose(),
      () => afterClose(),
    )
    if (retracted.ok) return null
    const { code: errno, error: cause } = retracted
    return fileSystemError({ action: 'release', path: file.path, errno, fileSystem: fileSystemAt(file.path), cause })
  }

  /** What the thread writes must not come after our last word. */
  async #takeBack(): Promise<void> {
    const beganMs = monotonicMs()
    while (!this.#shared.takeBack() && monotonicMs() - beganMs < ASK_MS_MAX)
      await new Promise((resolve) => setTimeout(resolve, ASK_MS))
  }

  #takeBackBlocking(): void {
    const { ownMs } = readClock()
    while (!this.#shared.takeBack() && readClock().ownMs - ownMs < ASK_MS_MAX);
  }

  /** Without its holder's doing. */
  async end(reason: LostReason): Promise<void> {
    if (!this.#released) {
      const isNews = this.#lost === null
      this.#lost ??= reason
      this.#ending = runAsynchronously(this.release()).catch(() => {}) // its user hears of the loss, and closing goes on
      if (isNews) this.onLost?.(reason)
    }
    await this.#ending
  }
}
