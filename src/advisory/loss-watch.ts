/**
 * Advisory locks can end while their holder lives, and nothing tells it. So each that can is looked at once in a refresh-rate.
 *
 * A server that leases its locks (NFSv4) gives those of a client that was silent for too long to others, and the
 * process that held one is not told. It has to ask: a read through the locked descriptor, past the cache, carries the lock to the
 * server, and fails once the lock is lost (`EIO`).
 *
 * An fcntl lock ends when its process closes any descriptor of the file: the kernel shows what it holds in /proc/self/fdinfo.
 */

import { clearInterval, setInterval } from '../drivers/clock.js'

/** A held lock that can be asked about. */
export interface Watched {
  /**
   * Finds out whether it is still held, and tells its holder if not. Never rejects. A mount that hangs gets no second
   * question.
   */
  look(): Promise<void>
}

export class LossWatch {
  readonly #refreshRateMs: number
  readonly #watched = new Set<Watched>()
  #timer: NodeJS.Timeout | undefined

  constructor(refreshRateMs: number) {
    this.#refreshRateMs = refreshRateMs
  }

  add(held: Watched): void {
    this.#watched.add(held)
    this.#timer ??= setInterval(() => this.#lookAtAll(), this.#refreshRateMs).unref()
  }

  remove(held: Watched): void {
    if (!this.#watched.delete(held) || this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #lookAtAll(): void {
    for (const held of this.#watched) void held.look()
  }
}
