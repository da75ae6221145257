/**
 * Keeps the acquirers of one process apart, in the order in which they came: one at a time asks the file system, the
 * others wait for nothing but it. Shared by all copies of this package in the thread, through the global registry of symbols.
 */

const KEY = Symbol.for('mountlock.queue.v1')

interface Turn {
  /** Called when it is this one's turn. */
  start: (() => void) | null
}

/** The queues by lock; the first of each has the turn. */
function queues(): Map<string, Turn[]> {
  const holder = globalThis as { [KEY]?: Map<string, Turn[]> }
  holder[KEY] ??= new Map()
  return holder[KEY]
}

/** A place in the queue of one lock. Leaving it, in whatever state, lets the next one on. */
export class Place {
  readonly #key: string
  readonly #turn: Turn = { start: null }
  #left = false

  private constructor(key: string) {
    this.#key = key
    const queue = queues().get(key)
    if (queue === undefined) queues().set(key, [this.#turn])
    else queue.push(this.#turn)
  }

  /** The place if nobody else of this process is there, otherwise `null`. */
  static tryTake(key: string): Place | null {
    return queues().has(key) ? null : new Place(key)
  }

  static take(key: string): Place {
    return new Place(key)
  }

  get hasTurn(): boolean {
    return queues().get(this.#key)?.[0] === this.#turn
  }

  /** Resolves when it is our turn. */
  turn(): Promise<void> {
    if (this.hasTurn) return Promise.resolve()
    return new Promise((resolve) => {
      this.#turn.start = resolve
    })
  }

  leave(): void {
    if (this.#left) return
    this.#left = true
    const queue = queues().get(this.#key)
    if (queue === undefined) return
    const index = queue.indexOf(this.#turn)
    if (index === -1) return
    queue.splice(index, 1)
    if (queue.length === 0) queues().delete(this.#key)
    else if (index === 0) queue[0]?.start?.()
  }
}
