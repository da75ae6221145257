/** Other nodes are told of a wait that lasts, and of its end. */

import type { Lockable } from '../lock-type/lock-type.js'

/** A shorter wait is nobody's business. */
const LASTING_MS = 1000

export class Announcement {
  readonly #target: Lockable
  readonly #timer: NodeJS.Timeout
  #isMade = false

  constructor(target: Lockable) {
    this.#target = target
    this.#timer = setTimeout(() => {
      this.#isMade = true
      target.announceWaiting(true)
    }, LASTING_MS)
    this.#timer.unref()
  }

  end(): void {
    clearTimeout(this.#timer)
    if (this.#isMade) this.#target.announceWaiting(false)
  }
}
