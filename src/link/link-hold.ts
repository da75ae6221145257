/** A held link-based lock. */

import type { Identity } from '../drivers/ground.js'
import type { Work } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import type { LostReason } from '../errors.js'
import type { Hold } from '../lock-type/lock-type.js'
import type { LeaseHolder, LinkSession } from './link-session.js'
import type { ReleaseOutcome } from '../protocol/settle.js'

/** What a hold needs of the lock that it holds. */
export interface LinkSite {
  readonly path: string
  /** Its `id` in the table of file systems. */
  readonly fileSystem: string | null
  /** Why that generation is no longer held, or `null` where it is or cannot be told. */
  missing(session: LinkSession, generation: bigint): Promise<LostReason | null>
  release(session: LinkSession, claimed: Claimed): Work<ReleaseOutcome>
}

/** What a hold has claimed. */
export interface Claimed {
  readonly generation: bigint
  /** The name that the claim has in the lock directory. */
  readonly entry: string
  /** Which directory that is, where other users could swap it. */
  readonly directory: Identity | null
}

export class LinkHold implements Hold, LeaseHolder {
  readonly token: bigint
  onLost: ((reason: LostReason) => void) | null = null
  readonly #site: LinkSite
  readonly #session: LinkSession
  readonly #claimed: Claimed
  #lost: LostReason | null = null
  #released = false

  constructor(site: LinkSite, session: LinkSession, claimed: Claimed) {
    this.#site = site
    this.token = claimed.generation
    this.#claimed = claimed
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
    const outcome = yield* this.#site.release(this.#session, this.#claimed)
    if (outcome.kind === 'unsettled') this.#session.mount.settle(this.#session.id, this.#site.path, this.token)
    // A release that took long may have been done after the lease, when the lock was another process's already.
    this.#lost = outcome.kind === 'lost' ? outcome.reason : this.#session.lostReason()
    this.#session.remove(this)
    if (outcome.kind === 'unsettled') {
      const { path, fileSystem } = this.#site
      throw fileSystemError({ action: 'release', path, errno: outcome.code, fileSystem, cause: outcome.error })
    }
    return this.#lost
  }
}
