/**
 * How many sessions one heartbeat thread can keep alive. It writes their heartbeats one after the other, so that those of
 * everything that is held must fit into the leases: a session that takes more than that is refused before a lock hangs on
 * it. What one heartbeat takes is measured by the thread, and read by the caller's thread in shared memory.
 */

import { present } from '../assert.js'
import { setTimeout, waitOnWord } from '../drivers/clock.js'
import { assert } from '../assert.js'
import { eitherWay, type Work } from '../drivers/work.js'
import { MountlockError } from '../errors.js'

/**
 * Of the time that the leases give, the heartbeats of what is held may take so much. A heartbeat is due at the latest when
 * two such rounds are left (see {@link beatPeriodMs}): one for the round, and one for a try that fails. So a third it is.
 */
const LOAD_MAX = 1 / 3

/** Chosen: so few sessions fit at any speed at which a lease of seconds can be kept at all. */
const UNMEASURED_MAX = 4

/**
 * The median of so many: one heartbeat that had to wait for a server, or for a busy machine, says nothing about the next.
 * Chosen: with five, two may have waited; with 31, a server that became slow is seen within minutes.
 */
const SAMPLES_MIN = 5
const SAMPLES_MAX = 31

/**
 * Measuring takes {@link SAMPLES_MIN} heartbeats: where they take longer than this, hardly more sessions would fit.
 * Chosen: at a second each, nine of them fill a third of the default lease of 27 s.
 */
const MEASURING_MS_MAX = 5000
/** How often an asynchronous caller looks whether it is measured. Chosen: heartbeats take milliseconds. */
const LOOK_MS = 5

/** Before it is measured, as many sessions as this make the thread measure at once. */
export const isToBeMeasured = (sessions: number, measure: BeatMeasure) => sessions >= UNMEASURED_MAX && !measure.isMeasured

/** When the next heartbeat is due after the last: at the refresh-rate, and sooner where all of them take long. */
export function beatPeriodMs(refreshRateMs: number, leaseMs: number, load: number): number {
  return Math.min(refreshRateMs, leaseMs * Math.max(LOAD_MAX, 1 - 2 * load))
}

/** What heartbeats take on one mount. The thread measures, the caller's thread reads. */
export class BeatMeasure {
  readonly buffer: SharedArrayBuffer
  /** The median in microseconds; 0: not measured yet. */
  readonly #us: Int32Array
  readonly #samples: number[] = []

  constructor(buffer = new SharedArrayBuffer(4)) {
    this.buffer = buffer
    this.#us = new Int32Array(buffer)
  }

  get isMeasured(): boolean {
    return Atomics.load(this.#us, 0) !== 0
  }

  /** Milliseconds. */
  get beatMs(): number {
    return Atomics.load(this.#us, 0) / 1000
  }

  add(beatMs: number): void {
    this.#samples.push(beatMs)
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift()
    if (this.#samples.length < SAMPLES_MIN) return
    const median = present(this.#samples.toSorted((a, b) => a - b)[this.#samples.length >> 1], 'a sample')
    Atomics.store(this.#us, 0, Math.min(2 ** 31 - 1, Math.max(1, Math.round(median * 1000))))
    Atomics.notify(this.#us, 0)
  }

  /** Until it is measured, or the time is over. */
  wait(waitMs: number): Work<void> {
    return eitherWay(
      () => void waitOnWord(this.#us, 0, 0, waitMs),
      async () => {
        for (let looks = waitMs / LOOK_MS; looks > 0 && !this.isMeasured; looks--)
          await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      },
    )
  }
}

/** The sessions in use on one mount, as the caller's thread counts them. */
export class BeatBudget {
  readonly measure = new BeatMeasure()
  #sessions = 0
  /** What part of the thread's time they take for each millisecond that a heartbeat takes. */
  #loadPerMs = 0

  /** A session is in use from now on: for locks, or for attempts to take one. */
  take(leaseMs: number): void {
    this.#sessions++
    this.#loadPerMs += 1 / leaseMs
  }

  giveBack(leaseMs: number): void {
    this.#sessions--
    this.#loadPerMs = this.#sessions === 0 ? 0 : this.#loadPerMs - 1 / leaseMs
    assert(this.#sessions >= 0, 'as many sessions given back as were taken', this.#sessions)
  }

  /** Makes sure that one more session can be kept alive. @throws MountlockError (`TOO_MANY_DIRECTORIES`) */
  *admit(path: string, leaseMs: number): Work<void> {
    if (this.#sessions < UNMEASURED_MAX) return
    if (!this.measure.isMeasured) yield* this.measure.wait(Math.min(MEASURING_MS_MAX, leaseMs * LOAD_MAX))
    const { isMeasured, beatMs } = this.measure
    if (!isMeasured || (this.#loadPerMs + 1 / leaseMs) * beatMs > LOAD_MAX) throw this.#refusal(path, leaseMs)
  }

  #refusal(path: string, leaseMs: number): MountlockError {
    const { isMeasured, beatMs } = this.measure
    const took = isMeasured ? `${beatMs.toFixed(1)} ms each` : 'too long to be measured'
    const what =
      `This process holds locks in ${this.#sessions} directories of this mount, whose heartbeats take ${took}: ` +
      `with one more they would not surely be written within the lease of ${leaseMs} ms`
    return new MountlockError(what, {
      code: 'TOO_MANY_DIRECTORIES',
      path,
      advice:
        'Release some, put the locks into fewer directories (all locks of a directory share a heartbeat), or set a longer timeout-interval.',
    })
  }
}
