/**
 * A process of `locktester stress`: takes the lock, increments the counter that the asking side keeps, gives the lock back, and says
 * each moment of it, with the time by the monotonic clock of its machine. Written down before anything else is done, so that a
 * kill cannot take back what was said.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { createLocker } from '../../locker.js'
import type { Lock, Locker, LockerOptions } from '../../types.js'
import type { StormEvent } from '../evidence/records.js'
import { type Answer, monotonicMs, type Question } from '../evidence/resource.js'
import { errorReport } from '../print.js'
import type { Answering } from '../remote/agent.js'
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
  readonly #open = new Map<number, (answer: Answer) => void>()

  async answer(op: string, args: Record<string, unknown>): Promise<unknown> {
    switch (op) {
      case 'begin':
        this.#work = this.#hammer(args as unknown as HammerSettings)
        return null
      case 'answer':
        return this.#hear(args as unknown as Answer)
      case 'finish':
        return await this.#finish()
      default:
        throw new Error(`unknown question: ${op}`)
    }
  }

  /** Nobody will answer any more. */
  async close(): Promise<void> {
    for (const id of this.#open.keys()) this.#hear({ id, accepted: false, value: 0 })
    await this.#finish()
    await this.#locker?.close()
  }

  /** Resolves when the turn that is under way has come to its end; who waits gives up. */
  async #finish(): Promise<null> {
    this.#over.abort()
    await this.#work
    return null
  }

  async #hammer({ path, options, waitMs }: HammerSettings): Promise<void> {
    this.#locker = createLocker(options)
    while (!this.#over.signal.aborted) {
      await this.#turn(this.#locker, path, waitMs)
      await pause()
    }
  }

  async #turn(locker: Locker, path: string, waitMs: number): Promise<void> {
    const attempt = this.#attempts++
    say({ type: 'asked', attempt, lock: LOCK, atMs: monotonicMs() })
    try {
      const lock =
        Math.random() < TRIES ? await locker.tryAcquire(path) : await locker.acquire(path, { waitMs, signal: this.#over.signal })
      if (lock === null) return
      await this.#hold({ attempt, lock, token: lock.token === null ? null : String(lock.token) })
    } catch (error) {
      if (this.#over.signal.aborted) return
      say({ type: 'failed', attempt, lock: LOCK, atMs: monotonicMs(), ...errorReport(error) })
      await sleep(FAILURE_PAUSE_MS)
    }
  }

  async #hold(hold: Hold): Promise<void> {
    const { attempt, lock, token } = hold
    const entry = { attempt, lock: LOCK, token }
    say({ ...entry, type: 'acquired', atMs: monotonicMs() })
    lock.signal.addEventListener('abort', () => say({ ...entry, type: 'lost', atMs: monotonicMs(), how: 'signal' }))
    if (isSure(hold)) await this.#increment(hold)
    say({ ...entry, type: 'releasing', atMs: monotonicMs() })
    const { lost } = await lock.release()
    say({ ...entry, type: 'released', atMs: monotonicMs(), lost })
  }

  async #increment(hold: Hold): Promise<void> {
    const { accepted, value } = await this.#ask(hold, null)
    await pause()
    // Who is not sure any more tries it nevertheless, if it has a token: it is the counter's part to refuse that.
    const mayWrite = isSure(hold) || hold.token !== null
    if (!accepted || !mayWrite || this.#over.signal.aborted) return
    await this.#ask(hold, value + 1)
    await pause()
    isSure(hold)
  }

  #ask({ attempt, token }: Hold, written: number | null): Promise<Answer> {
    const question: Question = { id: this.#questions++, attempt, lock: LOCK, token, written }
    return new Promise((resolve) => {
      this.#open.set(question.id, resolve)
      tell(process.stdout, { question } satisfies HammerWord)
    })
  }

  #hear(answer: Answer): null {
    this.#open.get(answer.id)?.(answer)
    this.#open.delete(answer.id)
    return null
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
