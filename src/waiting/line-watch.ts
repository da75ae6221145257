/**
 * What a waiter listens to: the lock's directory; or, far from its turn, the ticket that will be gone when that comes near. A
 * watch is on what had the name when it began. Once that may be gone, or another one, the watch is begun anew.
 */

import { type NameWatch, watchNames } from '../drivers/name-watch.js'

export class LineWatch {
  readonly #path: string
  readonly #onName: (name: string | null) => void
  readonly #onTicketGone: () => void
  #watch: NameWatch | null = null
  /** The ticket that is watched; `null`: the lock is. */
  #ticket: string | null = null
  /** There is no watch, or what it is on may be gone. */
  #isOver = true

  /** `path`: of the lock's directory. `onName`: a name appeared in it or went; `null`: something happened, perhaps to itself. */
  constructor(path: string, onName: (name: string | null) => void, onTicketGone: () => void) {
    this.#path = path
    this.#onName = onName
    this.#onTicketGone = onTicketGone
    this.listenTo(null)
  }

  get isThere(): boolean {
    return this.#watch !== null
  }

  /** `null`: to the lock, as where the ticket cannot be watched. `true`: it does from now on, and has missed what came before. */
  listenTo(ticket: string | null): boolean {
    if (ticket === this.#ticket && !this.#isOver) return false
    const onTicket = ticket === null ? null : watchNames(ticket, () => this.#hearOfTicket())
    this.close()
    this.#ticket = onTicket === null ? null : ticket
    this.#watch = onTicket ?? watchNames(this.#path, (name) => this.#hear(name))
    this.#isOver = this.#watch === null
    return onTicket === null && this.isThere
  }

  #hear(name: string | null): void {
    this.#isOver ||= name === null
    this.#onName(name)
  }

  /** Its owner may make it again. */
  #hearOfTicket(): void {
    this.#isOver = true
    this.#onTicketGone()
  }

  close(): void {
    this.#watch?.close()
  }
}
