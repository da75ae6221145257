/** What a locker tells of its locks: to its log, when that is on, and to the subscribers of its events. */

import { AbortError, LockTimeoutError, type LostReason } from '../errors.js'
import { hasSubscribers, publish } from '../log/channels.js'
import type { LockEvent } from '../log/events.js'
import { createLogger, type Logger } from '../log/logger.js'
import type { Lock, LockerSettings, ReleaseResult } from '../types.js'

/** As much of a lock as is told. */
type Told = Pick<Lock, 'path' | 'token'>

export class Report {
  readonly #settings: Readonly<LockerSettings>
  readonly #logger: Logger

  constructor(settings: Readonly<LockerSettings>) {
    this.#settings = settings
    this.#logger = createLogger(settings)
  }

  acquired({ path, token }: Told, remark: string | null): void {
    this.#tell({ event: 'acquire', path, outcome: 'acquired', token, ...(remark !== null && { detail: remark }) })
  }

  takenOver({ path, token }: Told, from: string): void {
    this.#tell({ event: 'reap', path, outcome: 'taken-over', token, detail: from })
  }

  /** An acquisition that does not wait ends without the lock. */
  busy(path: string, holder: string | null): void {
    this.#tell({ event: 'acquire', path, outcome: 'busy', ...(holder !== null && { detail: holder }) })
  }

  waits(path: string, holder: string | null): void {
    this.#tell({ event: 'wait', path, outcome: 'busy', ...(holder !== null && { detail: holder }) })
  }

  notAcquired(path: string, error: unknown): void {
    const outcome = error instanceof LockTimeoutError ? 'timeout' : error instanceof AbortError ? 'aborted' : 'failed'
    this.#tell({ event: 'acquire', path, outcome, error })
  }

  released({ path, token }: Told, { lost }: ReleaseResult): void {
    this.#tell({ event: 'release', path, outcome: lost ? 'lost' : 'released', token })
  }

  notReleased({ path, token }: Told, error: unknown): void {
    this.#tell({ event: 'release', path, outcome: 'failed', token, error })
  }

  lost({ path, token }: Told, reason: LostReason): void {
    if (reason === 'closed') this.#tell({ event: 'release', path, outcome: 'released', token, detail: 'the locker was closed' })
    else this.#tell({ event: 'lost', path, outcome: 'lost', token, detail: reason })
  }

  refreshFailed(directory: string, code: string): void {
    this.#tell({ event: 'refresh', path: directory, outcome: 'failed', detail: code })
  }

  reaped(directory: string, names: readonly string[]): void {
    this.#tell({ event: 'reap', path: directory, outcome: 'reaped', detail: names.join(' ') })
  }

  /** The process ends, and with it everything that it holds. Blocking. */
  endsWithProcess(held: Iterable<Told>): void {
    for (const { path, token } of held)
      this.#tell({ event: 'release', path, outcome: 'released', token, detail: 'the process ends' })
    this.#logger.flushSync()
  }

  async close(): Promise<void> {
    await this.#logger.close()
  }

  #tell(event: Omit<LockEvent, 'lockType'>): void {
    const { enableLogging, lockType } = this.#settings
    if (!enableLogging && !hasSubscribers(event.event)) return
    const complete: LockEvent = { ...event, lockType }
    publish(complete)
    if (enableLogging) this.#logger.log(complete)
  }
}
