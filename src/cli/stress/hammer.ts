/**
 * A process of `locktester stress`: takes the lock, increments the counter that the asking side keeps, gives the lock back,
 * and says each moment of it, with the time by the monotonic clock of its machine. Each moment is written down before
 * anything else is done, so that a kill cannot take back what was said.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { onAbort } from '../../locker/abort-listeners.js'
import { createLocker } from '../../locker/locker.js'
import type { Lock, Locker, LockerOptions } from '../../types.js'
import type { StormEvent } from '../evidence/records.js'
import { type Answer, monotonicMs, type Question } from '../evidence/resource.js'
import { errorReport } from '../shared/output.js'
import type { Answering } from '../remote/worker.js'
import { tell } from '../remote/lines.js'

/** What a hammer says of its own accord. */
export type HammerWord = { event: StormEvent } | { question: Question }

export interface HammerSettings {
  path: string
  options: LockerOptions
  waitMs: number
}

/** The pauses under the lock and between two turns: mostly short. */
const PAUSE_MS_MAX = 30
/** After a failure that would come again at once. */
const FAILURE_PAUSE_MS = 200
const TRIES = 0.1
const LOCK = 0

interface Hold {
  attempt: number
  lock: Lock
  token: string | null
}

export class Hammer implements Answering {
  #locker: Locker | null = null
  #work: Promise<void> = Promise.resolve()
  readonly #over = new AbortController()
  #attempts = 0
  #questions = 0
  /** Questions that the asking side has not answered yet. */
  readonly #open = new Map<number, (answer: Answer) => void>()

  readonly answers = {
    begin: (settings: HammerSettings) => {
      this.#work = this.#strike(settings)
    },
    answer: (answer: Answer) => this.#hear(answer),
    finish: () => this.#finish(),
  }

  /** The asking side will not answer any more. */
  async close(): Promise<void> {
    for (const id of this.#open.keys()) this.#hear({ id, accepted: false, value: 0 })
    await this.#finish()
    await this.#locker?.close()
  }

  /** Resolves when the turn that is under way has come to its end; a hammer that waits gives up. */
  async #finish(): Promise<void> {
    this.#over.abort()
    await this.#work
  }

  async #strike({ path, options, waitMs }: HammerSettings): Promise<void> {
    this.#locker = createLocker(options)
    while (!this.#over.signal.aborted) {
      await this.#turn(this.#locker, path, waitMs)
      await pause()
    }
  }

  async #turn(locker: Locker, path: string, waitMs: number): Promise<void> {
    const attempt = this.#attempts++
    const { signal } = this.#over
    say({ type: 'asked', attempt, lock: LOCK, atMs: monotonicMs() })
    try {
      const lock = Math.random() < TRIES ? await locker.tryAcquire(path) : await locker.acquire(path, { waitMs, signal })
      if (lock === null) return
      await this.#hold({ attempt, lock, token: lock.token === null ? null : String(lock.token) })
    } catch (error) {
      if (signal.aborted) return
      say({ type: 'failed', attempt, lock: LOCK, atMs: monotonicMs(), ...errorReport(error) })
      await sleep(FAILURE_PAUSE_MS)
    }
  }

  async #hold(held: Hold): Promise<void> {
    const { attempt, lock, token } = held
    const entry = { attempt, lock: LOCK, token }
    say({ ...entry, type: 'acquired', atMs: monotonicMs() })
    onAbort(lock.signal, () => say({ ...entry, type: 'lost', atMs: monotonicMs(), how: 'signal' }))
    if (isSure(held)) await this.#increment(held)
    say({ ...entry, type: 'releasing', atMs: monotonicMs() })
    const { lost } = await lock.release()
    say({ ...entry, type: 'released', atMs: monotonicMs(), lost })
  }

  async #increment(held: Hold): Promise<void> {
    const { accepted, value } = await this.#ask(held, null)
    await pause()
    // A holder that is not sure any more tries it nevertheless, if it has a token: it is the counter's part to refuse that.
    const mayWrite = isSure(held) || held.token !== null
    if (!accepted || !mayWrite || this.#over.signal.aborted) return
    await this.#ask(held, value + 1)
    await pause()
    isSure(held)
  }

  #ask({ attempt, token }: Hold, written: number | null): Promise<Answer> {
    const question: Question = { id: this.#questions++, attempt, lock: LOCK, token, written }
    return new Promise((resolve) => {
      this.#open.set(question.id, resolve)
      tell(process.stdout, { question } satisfies HammerWord)
    })
  }

  #hear(answer: Answer): void {
    this.#open.get(answer.id)?.(answer)
    this.#open.delete(answer.id)
  }
}

function say(event: StormEvent): void {
  tell(process.stdout, { event } satisfies HammerWord)
}

/** Says that the lock is held, if it is. The clock is read before the question is asked. */
function isSure({ attempt, lock, token }: Hold): boolean {
  const atMs = monotonicMs()
  try {
    lock.assertHeld()
  } catch {
    say({ type: 'lost', attempt, lock: LOCK, atMs: monotonicMs(), token, how: 'asserted' })
    return false
  }
  say({ type: 'sure', attempt, lock: LOCK, atMs, token })
  return true
}

const pause = () => sleep(Math.random() ** 4 * PAUSE_MS_MAX)
