/** A file watch on a directory: what the processes of this host do with its names. It sees nothing of other nodes. */

import { watch } from 'node:fs'
import { clearTimeout, monotonicMs, setTimeout } from './clock.js'

export interface NameWatch {
  close(): void
}

/**
 * `onName`: a name appeared or went; `null`: something happened. Returns `null` where there is no watch to be had:
 * polling will do.
 */
export function watchNames(path: string, onName: (name: string | null) => void): NameWatch | null {
  try {
    const watcher = watch(path, { persistent: false }, (_, name) => onName(name))
    // A watch that breaks leaves the polling.
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null // no watches left, or none here
  }
}

/**
 * A watch is kept from one wait to the next: what happens in between is missing otherwise. Chosen: a
 * program that waits again does so soon.
 */
const IDLE_MS = 2000
/**
 * A directory that another node removed and made again is not what is watched. Chosen: so long a waiter
 * relies on its polls alone.
 */
const AGE_MS_MAX = 10_000

/** A watch that outlives its listeners, for a while. */
export class KeptWatch {
  readonly #onName: (name: string | null) => void
  #watch: NameWatch | null = null
  #sinceMs = Number.NEGATIVE_INFINITY
  #idle: NodeJS.Timeout | undefined

  constructor(onName: (name: string | null) => void) {
    this.#onName = onName
  }

  /** `false`: there is no watch to be had. */
  open(path: string): boolean {
    clearTimeout(this.#idle)
    const nowMs = monotonicMs()
    if (nowMs - this.#sinceMs > AGE_MS_MAX) this.close()
    if (this.#watch !== null) return true
    this.#watch = watchNames(path, this.#onName)
    this.#sinceMs = nowMs
    return this.#watch !== null
  }

  closeWhenIdle(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.close(), IDLE_MS)
    this.#idle.unref()
  }

  close(): void {
    clearTimeout(this.#idle)
    this.#watch?.close()
    this.#watch = null
  }
}
