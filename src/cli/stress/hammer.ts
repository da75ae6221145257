/**
 * A process of `locktester stress`: takes the lock, increments the counter that the asking side keeps, gives the lock back,
 * and says each moment of it, with the time by the monotonic clock of its machine. Each moment is written down before
 * anything else is done, so that a kill cannot take back what was said.
 */

import { setTimeout as sleep } from 'node:timers/promises'
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

export function hammer(): Answering {
  let locker: Locker | null = null
  let work: Promise<void> = Promise.resolve()
  const over = new AbortController()
  let attempts = 0
  let questions = 0
  const open = new Map<number, (answer: Answer) => void>()

  const answers = {
    begin(settings: HammerSettings) {
      work = strike(settings)
    },
    answer: hear,
    finish,
  }

  /** The asking side will not answer any more. */
  async function close(): Promise<void> {
    for (const id of open.keys()) hear({ id, accepted: false, value: 0 })
    await finish()
    await locker?.close()
  }

  /** Resolves when the turn that is under way has come to its end; a hammer that waits gives up. */
  async function finish(): Promise<void> {
    over.abort()
    await work
  }

  async function strike({ path, options, waitMs }: HammerSettings): Promise<void> {
    locker = createLocker(options)
    while (!over.signal.aborted) {
      await turn(locker, path, waitMs)
      await pause()
    }
  }

  async function turn(locker: Locker, path: string, waitMs: number): Promise<void> {
    const attempt = attempts++
    const { signal } = over
    say({ type: 'asked', attempt, lock: LOCK, atMs: monotonicMs() })
    try {
      const lock = Math.random() < TRIES ? await locker.tryAcquire(path) : await locker.acquire(path, { waitMs, signal })
      if (lock === null) return
      await hold({ attempt, lock, token: lock.token === null ? null : String(lock.token) })
    } catch (error) {
      if (signal.aborted) return
      say({ type: 'failed', attempt, lock: LOCK, atMs: monotonicMs(), ...errorReport(error) })
      await sleep(FAILURE_PAUSE_MS)
    }
  }

  async function hold(held: Hold): Promise<void> {
    const { attempt, lock, token } = held
    const entry = { attempt, lock: LOCK, token }
    say({ ...entry, type: 'acquired', atMs: monotonicMs() })
    lock.signal.addEventListener('abort', () => say({ ...entry, type: 'lost', atMs: monotonicMs(), how: 'signal' }))
    if (isSure(held)) await increment(held)
    say({ ...entry, type: 'releasing', atMs: monotonicMs() })
    const { lost } = await lock.release()
    say({ ...entry, type: 'released', atMs: monotonicMs(), lost })
  }

  async function increment(held: Hold): Promise<void> {
    const { accepted, value } = await ask(held, null)
    await pause()
    // A holder that is not sure any more tries it nevertheless, if it has a token: it is the counter's part to refuse that.
    const mayWrite = isSure(held) || held.token !== null
    if (!accepted || !mayWrite || over.signal.aborted) return
    await ask(held, value + 1)
    await pause()
    isSure(held)
  }

  function ask({ attempt, token }: Hold, written: number | null): Promise<Answer> {
    const question: Question = { id: questions++, attempt, lock: LOCK, token, written }
    return new Promise((resolve) => {
      open.set(question.id, resolve)
      tell(process.stdout, { question } satisfies HammerWord)
    })
  }

  function hear(answer: Answer): void {
    open.get(answer.id)?.(answer)
    open.delete(answer.id)
  }

  return { answers, close }
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
