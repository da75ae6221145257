/** Other nodes are told of a wait that lasts, and of its end. */

import { clearTimeout, setTimeout } from '../drivers/clock.js'
import type { Lockable } from '../lock-type/lock-type.js'

/** A shorter wait is not told: a heartbeat carries the news, and most waits are over before one. Chosen, not measured. */
const LASTING_MS = 1000

export class Announcement {
  readonly #lockable: Lockable
  readonly #timer: NodeJS.Timeout
  #isMade = false

  constructor(lockable: Lockable) {
    this.#lockable = lockable
    this.#timer = setTimeout(() => {
      this.#isMade = true
      lockable.announceWaiting(true)
    }, LASTING_MS)
    this.#timer.unref()
  }

  end(): void {
    clearTimeout(this.#timer)
    if (this.#isMade) this.#lockable.announceWaiting(false)
  }
}
