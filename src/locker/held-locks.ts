/** The books of a locker: which locks it holds, and what goes with each in this process. */

import { dirname, resolve } from 'node:path'
import { monotonicMs } from '../drivers/clock.js'
import type { Lane } from '../drivers/lane.js'
import { runAsynchronously } from '../drivers/work.js'
import type { LostReason } from '../errors.js'
import type { Taken } from '../lock-type/lock-type.js'
import { Directories } from '../mounts/directories.js'
import { mountOfDevice } from '../mounts/mount.js'
import type { LockType, ReleaseResult } from '../types.js'
import type { ComingBack } from '../waiting/coming-back.js'
import { LockHandle, type LockKeeper } from './handle.js'
import type { QueuePlace } from './queue.js'
import type { Report } from './report.js'

/** What goes with a held lock: its place in the process, unless it is shared, and what is known of it when it comes back. */
interface Company {
  place: QueuePlace | null
  comingBack: ComingBack | null
}

export class HeldLocks implements LockKeeper {
  readonly lockType: LockType
  readonly releaseMsMax: number
  readonly #report: Report
  readonly #held = new Map<LockHandle, Company>()
  readonly #directories = new Directories()

  constructor(lockType: LockType, releaseMsMax: number, report: Report) {
    this.lockType = lockType
    this.releaseMsMax = releaseMsMax
    this.#report = report
  }

  /**
   * The last question before a lock is handed out: is it certain to be ours? `null`: its session is over, and with it
   * everything that it held.
   */
  handOut(path: string, { hold, takenFrom, remark = null }: Taken, company: Company): LockHandle | null {
    if (hold.remainingMs() <= 0) return null
    const lock = new LockHandle(path, hold, this)
    this.#held.set(lock, company)
    if (takenFrom !== null) this.#report.takenOver(lock, takenFrom)
    this.#report.acquired(lock, remark)
    return lock
  }

  onReleased(lock: LockHandle, result: ReleaseResult): void {
    this.#drop(lock)
    this.#report.released(lock, result)
  }

  onReleaseFailed(lock: LockHandle, error: unknown): void {
    this.#drop(lock)
    this.#report.notReleased(lock, error)
  }

  onLost(lock: LockHandle, reason: LostReason): void {
    this.#drop(lock)
    this.#report.lost(lock, reason)
  }

  async fileSystemOf(path: string): Promise<{ coherent: boolean; lane: Lane }> {
    const { coherent, dev } = await runAsynchronously(this.#directories.look(dirname(resolve(path))))
    return { coherent, lane: mountOfDevice(dev).lane }
  }

  /** The process ends: a lock that was lost by then is not told as released. @returns what to do afterwards */
  endWithProcess(): () => void {
    const held = [...this.#held.keys()].filter((lock) => lock.held)
    return () => this.#report.endsWithProcess(held)
  }

  /** A lock may be dropped twice: one that was lost can still be released. */
  #drop(lock: LockHandle): void {
    const company = this.#held.get(lock)
    if (company === undefined) return
    this.#held.delete(lock)
    company.comingBack?.released(monotonicMs())
    company.place?.leave()
  }
}
