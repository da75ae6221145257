/** A held link-based lock. */

import type { Work } from '../drivers/work.js'
import { fileSystemError, type LostReason } from '../errors.js'
import type { Hold } from '../lock-type/lock-type.js'
import type { LeaseHolder, LinkSession } from './link-session.js'
import type { ReleaseOutcome } from '../protocol/settle.js'

/** What a hold needs of the lock that it holds. */
export interface LinkSite {
  readonly path: string
  /** Why that generation is no longer held, or `null` where it is or cannot be told. */
  missing(session: LinkSession, generation: bigint): Promise<LostReason | null>
  release(session: LinkSession, generation: bigint, entry: string): Work<ReleaseOutcome>
}

export class LinkHold implements Hold, LeaseHolder {
  readonly token: bigint
  onLost: ((reason: LostReason) => void) | null = null
  readonly #site: LinkSite
  readonly #session: LinkSession
  readonly #entry: string
  #lost: LostReason | null = null
  #released = false

  /** `entry`: the name that the claim has in the lock directory. */
  constructor(site: LinkSite, session: LinkSession, generation: bigint, entry: string) {
    this.#site = site
    this.token = generation
    this.#entry = entry
    this.#session = session
    session.add(this)
  }

  remainingMs(): number {
    if (this.#released || this.#lost !== null) return 0
    const remainingMs = this.#session.remainingMs()
    if (remainingMs <= 0) this.#session.expire('lease-expired')
    return remainingMs
  }

  lostReason(): LostReason | null {
    this.remainingMs()
    return this.#lost
  }

  lose(reason: LostReason): void {
    if (this.#lost !== null || this.#released) return
    this.#lost = reason
    this.#session.remove(this)
    this.onLost?.(reason)
  }

  look(): Promise<LostReason | null> {
    return this.#site.missing(this.#session, this.token)
  }

  *release(): Work<LostReason | null> {
    const lost = this.lostReason()
    if (lost !== null || this.#released) return lost
    this.#released = true
    const outcome = yield* this.#site.release(this.#session, this.token, this.#entry)
    if (outcome.kind === 'unsettled') this.#session.mount.settle(this.#session.id, this.#site.path, this.token)
    this.#session.remove(this)
    if (outcome.kind === 'released') return null
    if (outcome.kind === 'lost') return outcome.reason
    throw fileSystemError('rename', this.#site.path, outcome.code, outcome.error)
  }
}
