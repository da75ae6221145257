/**
 * Keeps the acquisitions of one process apart, in the order in which they came: one at a time asks the file system, the
 * others wait for nothing but it. Shared by all copies of this package in the thread, through the global registry of symbols.
 */

import { assert } from '../assert.js'

const KEY = Symbol.for('mountlock.queue.v1')

/**
 * A linked list and not an array: thousands of locks may be held, and hardly any of them is queued for. Other copies of this
 * package, perhaps of another version, see these very fields.
 */
interface Link {
  previous: Link | null
  next: Link | null
  /** Called when it has become the first. */
  start: (() => void) | null
}

/** The last of each queue, by lock. */
function queues(): Map<string, Link> {
  const holder = globalThis as { [KEY]?: Map<string, Link> }
  holder[KEY] ??= new Map()
  return holder[KEY]
}

/** A place in the queue of one lock. Leaving it, in whatever state, lets the next one on. */
export class QueuePlace implements Link {
  previous: Link | null
  next: Link | null = null
  start: (() => void) | null = null
  readonly #key: string
  #left = false

  private constructor(key: string) {
    this.#key = key
    this.previous = queues().get(key) ?? null
    if (this.previous !== null) this.previous.next = this
    queues().set(key, this)
  }

  /** The place if no other call of this process is there, otherwise `null`. */
  static tryTake(key: string): QueuePlace | null {
    return queues().has(key) ? null : new QueuePlace(key)
  }

  static take(key: string): QueuePlace {
    return new QueuePlace(key)
  }

  /** Only the first may ask the file system. */
  get isFirst(): boolean {
    return this.previous === null && !this.#left
  }

  /** Resolves when it is the first. */
  untilFirst(): Promise<void> {
    assert(!this.#left, 'a place that was not left', this.#key)
    if (this.isFirst) return Promise.resolve()
    return new Promise((resolve) => {
      this.start = resolve
    })
  }

  leave(): void {
    if (this.#left) return
    this.#left = true
    const { previous, next } = this
    if (previous !== null) previous.next = next
    if (next !== null) next.previous = previous
    else if (previous !== null) queues().set(this.#key, previous)
    else queues().delete(this.#key)
    if (previous === null) next?.start?.()
  }
}
