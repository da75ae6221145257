/**
 * One acquisition, with asynchronous calls. Its steps: take the place in the process, leave the lock to others if this process
 * has just had it, try; then hand the lock out, or wait and try again. What it began is undone when it ends without a lock.
 */

import { monotonicMs } from '../drivers/clock.js'
import { assert } from '../assert.js'
import { runAsynchronously } from '../drivers/work.js'
import type { Busy, Line, Lockable, Taken, TryOptions, TryOutcome } from '../lock-type/lock-type.js'
import type { ComingBack } from '../waiting/coming-back.js'
import { TURNS_MAX } from '../waiting/queue.js'
import type { Occasion } from '../waiting/decision.js'
import { Waiter } from '../waiting/waiter.js'
import type { LockHandle } from './handle.js'
import type { HeldLocks } from './held-locks.js'
import { heldBy, type Patience, THIS_PROCESS } from './patience.js'
import { QueuePlace } from './queue.js'
import type { Report } from './report.js'

/** What is acquired, and how. */
export interface Request {
  lockable: Lockable
  comingBack: ComingBack
  shared: boolean
  patience: Patience
}

/** What a try goes by. `fresh`: it trusts no cache. `seenFree`: the generation that a waiter saw to be free. */
type Sight = Pick<TryOptions, 'fresh' | 'seenFree'>
const UNSEEN: Sight = { fresh: false, seenFree: null }

export class Acquisition {
  readonly #lockable: Lockable
  readonly #comingBack: ComingBack
  readonly #shared: boolean
  readonly #patience: Patience
  readonly #held: HeldLocks
  readonly #report: Report
  readonly #begun: Begun
  #hadToWait = false

  constructor({ lockable, comingBack, shared, patience }: Request, held: HeldLocks, report: Report) {
    this.#lockable = lockable
    this.#comingBack = comingBack
    this.#shared = shared
    this.#patience = patience
    this.#held = held
    this.#report = report
    this.#begun = new Begun(lockable)
  }

  /** Waits for no holder: `null` when the lock is busy. @throws as {@link Patience.check}, and what a try throws */
  async withoutWaiting(): Promise<LockHandle | null> {
    try {
      if (!this.#shared && !this.#begun.takePlaceIfFree()) return this.#busy(THIS_PROCESS)
      // Without tickets nothing shows a waiter, so this call leaves the lock to no process.
      if (this.#lockable.hasTickets) await this.#leaveToOthers(1)
      for (;;) {
        const outcome = await this.#try(UNSEEN)
        if (outcome.kind === 'busy') return this.#busy(outcome.holder)
        const lock = this.#handOut(outcome)
        if (lock !== null) return lock
      }
    } finally {
      this.#patience.undone = this.#begun.end()
    }
  }

  /** Waits for the lock as long as there is patience. @throws as {@link Patience.check}, and what a try throws */
  async waiting(): Promise<LockHandle> {
    try {
      if (!this.#shared) await this.#takePlace()
      let sight = (await this.#leaveToOthers(TURNS_MAX)) ? await this.#waitUntried() : UNSEEN
      for (;;) {
        const outcome = await this.#try(sight)
        const lock = outcome.kind === 'acquired' ? this.#handOut(outcome) : null
        if (lock !== null) return lock
        sight = outcome.kind === 'busy' ? await this.#wait(outcome) : UNSEEN
      }
    } finally {
      this.#patience.undone = this.#begun.end()
    }
  }

  #busy(holder: string | null): null {
    this.#report.busy(this.#lockable.path, holder)
    return null
  }

  async #takePlace(): Promise<void> {
    const place = this.#begun.takePlace()
    if (place.isFirst) return
    const patience = this.#patience
    const { waitingFor } = patience
    patience.waitingFor = heldBy(THIS_PROCESS)
    patience.endFirstTry()
    await patience.race(place.untilFirst())
    patience.waitingFor = waitingFor
  }

  /**
   * A process that has just released the lock leaves it to those that wait for it, a grace for each of so many, once. Tells
   * whether one of them has taken it.
   */
  async #leaveToOthers(othersMax: number): Promise<boolean> {
    if (this.#comingBack.leaveUntilMs(monotonicMs(), 1) === null) return false
    const { line } = this.#begun
    const others = line === null ? 1 : await this.#patience.race(line.others())
    const untilMs = this.#comingBack.leaveUntilMs(monotonicMs(), Math.min(others, othersMax))
    const isTaken = untilMs !== null && (await this.#patience.race(this.#begun.listen().standBack(untilMs)))
    // Without tickets nothing was asked: a process that meets no other goes on coming back freely.
    this.#comingBack.asked(monotonicMs(), line !== null && others > 0)
    return isTaken
  }

  /** Another process has it now. A try would only tell which one: that is told later, as long as there is patience for it. */
  async #waitUntried(): Promise<Sight> {
    const waiter = this.#begun.listen()
    if (!this.#patience.lastsFor(waiter.untriedMs)) return UNSEEN
    this.#waits(null)
    return this.#until(waiter, waiter.untried())
  }

  /** One try. What it took is given back when patience is over. */
  async #try({ fresh, seenFree }: Sight): Promise<Taken | Busy> {
    const patience = this.#patience
    patience.check()
    const work = this.#lockable.tryTake({ shared: this.#shared, fresh, seenFree, wanted: () => !patience.isOver })
    const first = work.next()
    const outcome = first.done ? first.value : await this.#begun.follow(runAsynchronously(work, first), patience)
    if (patience.isOver) this.#begun.giveBack(outcome)
    patience.check()
    assert(outcome.kind !== 'cancelled', 'a try that is wanted not to be cancelled', outcome)
    return outcome
  }

  /** `null`: what was taken is over already. */
  #handOut(taken: Taken): LockHandle | null {
    const lock = this.#held.handOut(this.#lockable.path, taken, { place: this.#begun.place, comingBack: this.#comingBack })
    if (lock === null) return null
    this.#begun.keepPlaceWithLock()
    this.#comingBack.acquired(monotonicMs(), taken.isWaitedFor)
    if (taken.isWaitedFor && !this.#begun.isListening) void this.#begun.line?.others() // those that waited may have died
    return lock
  }

  /** Until it is worth trying again. */
  async #wait({ holder, owner, generation }: Busy): Promise<Sight> {
    this.#waits(holder)
    this.#patience.holder = owner
    this.#comingBack.met(monotonicMs())
    const isListening = this.#begun.isListening
    const waiter = this.#begun.listen()
    // Listen first, then look once more: a release in between is not missed.
    if (!isListening) return { fresh: true, seenFree: null }
    this.#patience.since = () => waiter.since(generation)
    return this.#until(waiter, waiter.again(generation))
  }

  #waits(holder: string | null): void {
    this.#patience.endFirstTry()
    this.#patience.waitingFor = heldBy(holder)
    if (!this.#hadToWait) this.#report.waits(this.#lockable.path, holder)
    this.#hadToWait = true
  }

  async #until(waiter: Waiter, isWorthTrying: Promise<Occasion>): Promise<Sight> {
    this.#patience.waitersBefore = () => waiter.before
    const occasion = await this.#patience.race(isWorthTrying)
    return { fresh: occasion === 'late', seenFree: waiter.seenFree }
  }
}

/** What an acquisition has begun, and what is undone when it ends. */
class Begun {
  readonly #lockable: Lockable
  /** `null` also when it is kept by the lock. */
  #place: QueuePlace | null = null
  #waiter: Waiter | null = null
  readonly line: Line | null
  /** The try that is under way, or the release of what it took too late. */
  #underWay: Promise<unknown> | null = null

  constructor(lockable: Lockable) {
    this.#lockable = lockable
    this.line = lockable.line()
  }

  get place(): QueuePlace | null {
    return this.#place
  }

  takePlace(): QueuePlace {
    assert(this.#place === null, 'one place for an acquisition', this.#lockable.key)
    this.#place = QueuePlace.take(this.#lockable.key)
    return this.#place
  }

  takePlaceIfFree(): boolean {
    this.#place = QueuePlace.tryTake(this.#lockable.key)
    return this.#place !== null
  }

  keepPlaceWithLock(): void {
    this.#place = null
  }

  get isListening(): boolean {
    return this.#waiter !== null
  }

  /** From now on no release is missed. */
  listen(): Waiter {
    this.#waiter ??= new Waiter(this.#lockable.waitStyle, this.line)
    return this.#waiter
  }

  /** Waits for a try as long as there is patience, and gives back what it takes too late. */
  follow(trying: Promise<TryOutcome>, patience: Patience): Promise<TryOutcome> {
    this.#underWay = trying
    return patience.race(trying, (late) => this.giveBack(late))
  }

  giveBack(outcome: TryOutcome): void {
    if (outcome.kind !== 'acquired') return
    this.#underWay = runAsynchronously(outcome.hold.release()).catch(() => {}) // what is in doubt is being settled
  }

  /** @returns when all is undone */
  async end(): Promise<void> {
    const left = this.#waiter?.close()
    await this.#leave(this.#place)
    await left
  }

  /** What is still under way keeps its place: it may yet have to be undone. */
  async #leave(place: QueuePlace | null): Promise<void> {
    for (let awaited: Promise<unknown> | null = null; awaited !== this.#underWay;) {
      awaited = this.#underWay
      await awaited?.catch(() => {}) // its acquisition has heard of it
    }
    const leaving = this.#lockable.leave?.()
    if (leaving !== undefined) await runAsynchronously(leaving).catch(() => {}) // what is left is found by the next one
    place?.leave()
  }
}
