/**
 * The other running testers, as far as their presence records show them. A neighbour counts as alive when its process is
 * (same host), or else when its beat counter moved while we watched: no clock of another node is believed.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { bounded } from '../shared/bounded.js'
import { lifeOf, ownIdentity } from '../shared/identity.js'
import { BEAT_MS, type Claim, type Found, type Presence, type PresenceRecord, removeRecord } from './presence.js'

export interface Neighbour {
  record: PresenceRecord
  /** Its process state on this host, or `unknown`: another host or namespace. */
  process: 'alive' | 'unknown'
  /** Its record changed while we watched. */
  beating: boolean
}

interface Watched {
  firstBeat: number
  lastBeat: number
  /** When it last changed, by our own monotonic clock. */
  changedMs: number
}

const POLL_MS = 200
/** A beat every second, and some patience with a slow mount. */
const WATCH_LIMIT_MS = 5 * BEAT_MS

export class Neighbours {
  readonly #presence: Presence
  readonly #watched = new Map<string, Watched>()

  constructor(presence: Presence) {
    this.#presence = presence
  }

  /**
   * One look at all records. Those whose owner is provably dead are left out and, if they are ours to remove, removed. So
   * is what stood still for long elsewhere or is no whole record: should its owner come back, its next beat writes it again.
   */
  async look(): Promise<Neighbour[]> {
    const neighbours: Neighbour[] = []
    for (const found of await this.#presence.others()) {
      const { record } = found
      const life = record === null ? 'unknown' : lifeOf(record)
      const { firstBeat, lastBeat, changedMs } = this.#follow(found)
      const isAbandoned = life === 'unknown' && performance.now() - changedMs >= WATCH_LIMIT_MS
      if (life === 'gone' || isAbandoned) await this.#removeLeftover(found)
      else if (record !== null) neighbours.push({ record, process: life, beating: lastBeat !== firstBeat })
    }
    return neighbours
  }

  /** Looks until `isDecided`, a few beats at the most; the last look. An unreadable directory shows no neighbour. */
  async watch(isDecided: (neighbours: Neighbour[]) => boolean): Promise<Neighbour[]> {
    const deadlineMs = performance.now() + WATCH_LIMIT_MS + POLL_MS
    for (;;) {
      const neighbours = await this.look().catch(() => [])
      if (isDecided(neighbours) || performance.now() >= deadlineMs) return neighbours
      await sleep(POLL_MS)
    }
  }

  /** A living neighbour that holds the lock at `path`. Those that are still trying get a little time to become it. */
  async holderOf(path: string): Promise<Neighbour | null> {
    const claims = ({ record }: Neighbour) => record.claims[path] !== undefined
    const holds = (each: Neighbour) => each.record.claims[path] === 'held' && isAlive(each)
    const neighbours = await this.watch((all) => all.some(holds) || !all.some(claims))
    return neighbours.find(holds) ?? null
  }

  /**
   * The neighbours that hold one of `paths` while we hold it too. The proof is a beat that was written after ours was
   * acquired and still claims the lock, so a record that outlived its owner, or a lock just handed over, never counts.
   */
  async alsoHolding(paths: readonly string[]): Promise<Neighbour[]> {
    const claims = (each: Neighbour, claim: Claim) => paths.some((path) => each.record.claims[path] === claim)
    const since = new Map<string, number>()
    const hasMoved = ({ record: { id, beat } }: Neighbour) => {
      if (!since.has(id)) since.set(id, beat)
      return beat !== since.get(id)
    }
    // Those still trying are waited for as well: of two that start at the same moment neither may leave without a look.
    const isOpen = (each: Neighbour) => (!hasMoved(each) && claims(each, 'held')) || claims(each, 'trying')
    const neighbours = await this.watch((all) => all.filter(isOpen).length === 0)
    return neighbours.filter((each) => claims(each, 'held') && hasMoved(each))
  }

  /** Those alive, with time to show it for the ones of which `matters` says that it makes a difference. */
  async alive(matters: (neighbour: Neighbour) => boolean): Promise<Neighbour[]> {
    return (await this.watch((all) => all.filter(matters).every(isAlive))).filter(isAlive)
  }

  #follow({ file, record }: Found): Watched {
    const beat = record?.beat ?? -1
    const before = this.#watched.get(file)
    if (before?.lastBeat === beat) return before
    const watched = { firstBeat: before?.firstBeat ?? beat, lastBeat: beat, changedMs: performance.now() }
    this.#watched.set(file, watched)
    return watched
  }

  async #removeLeftover({ file, fileUid }: Found): Promise<void> {
    if (fileUid === ownIdentity().uid) await bounded(file, removeRecord(file)).catch(() => {})
  }
}

function isAlive({ process, beating }: Neighbour): boolean {
  return beating || process === 'alive'
}
