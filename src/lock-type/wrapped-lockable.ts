/** A path that is locked as another lock type does it, but for its tries. */

import type { Ground } from '../drivers/ground.js'
import type { Work } from '../drivers/work.js'
import type { Line, Lockable, TryOptions, TryOutcome, WaitStyle } from './lock-type.js'

export class WrappedLockable implements Lockable {
  /** Absent where the wrapped one has none: an acquisition that has nothing to leave does not wait for it. */
  readonly leave?: () => Work<void>
  readonly #lockable: Lockable
  readonly #tryTake: (lockable: Lockable, options: TryOptions) => Work<TryOutcome>

  constructor(lockable: Lockable, tryTake: (lockable: Lockable, options: TryOptions) => Work<TryOutcome>) {
    this.#lockable = lockable
    this.#tryTake = tryTake
    if (lockable.leave !== undefined) this.leave = lockable.leave.bind(lockable)
  }

  get path(): string {
    return this.#lockable.path
  }

  get key(): string {
    return this.#lockable.key
  }

  get waitStyle(): WaitStyle {
    return this.#lockable.waitStyle
  }

  get ground(): Ground | null {
    return this.#lockable.ground
  }

  tryTake(options: TryOptions): Work<TryOutcome> {
    return this.#tryTake(this.#lockable, options)
  }

  get hasTickets(): boolean {
    return this.#lockable.hasTickets
  }

  line(): Line | null {
    return this.#lockable.line()
  }
}
