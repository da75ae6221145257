/** A lock as this process knows it: what is remembered of it, attempts to acquire it, and what its holds ask of it. */

import { assert } from '../assert.js'
import type { Asker } from '../drivers/answer.js'
import { readClock } from '../drivers/clock.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import type { Ground, Identity } from '../drivers/ground.js'
import { runAsynchronously, type Work } from '../drivers/work.js'
import type { LostReason } from '../errors.js'
import { describeHolder } from '../lock-type/describe-holder.js'
import type { LockPath } from '../lock-type/lock-path.js'
import type { Line, Lockable, TryOptions, TryOutcome, WaitStyle } from '../lock-type/lock-type.js'
import { type AttemptOutcome, attempt } from '../protocol/acquire.js'
import { isAbsent } from '../protocol/doubt.js'
import { keepMarker, MARKER_LOOK_MS } from '../protocol/marker.js'
import type { LockListing } from '../protocol/names.js'
import { isMountOfItsOwn } from '../protocol/placement.js'
import { isSameHost } from '../protocol/record.js'
import type { Protocol, Reply } from '../protocol/operations.js'
import { freshListing, type ReleaseOutcome, release } from '../protocol/settle.js'
import { type Claim, newMemory, type Site } from '../protocol/site.js'
import { toHolder } from './inspection.js'
import { LinkLine, type Lined } from './line.js'
import { type Claimed, LinkHold, type LinkSite } from './link-hold.js'
import type { LinkSession } from './link-session.js'
import type { LockDirectory } from './lock-directory.js'
import { attemptFailed, foreignError, mountedError, type Refused, sessionsSpent } from './refusals.js'

/**
 * Sessions can be found spent in a row: by age, by links, by a remount. More often than this is a defect of
 * the file system: one for each of the reasons, and one more.
 */
const SESSIONS_TRIED_MAX = 4

type Outcome<Kind extends AttemptOutcome['kind']> = AttemptOutcome & { kind: Kind }

/** What follows from the directory as it was last seen: made once for each look at it, and not for each cycle of the lock. */
interface Seen {
  facts: DirectoryFacts
  key: string
  site: Site
}

export class KnownLock implements Lockable, LinkSite, Lined {
  readonly directory: LockDirectory
  readonly #parts: LockPath
  readonly #claim: Claim
  readonly #memory = newMemory()
  ticketsRestUntilMs = 0
  readonly aliveUntilMs = new Map<string, number>()
  roomEmptySinceMs: number | null = null
  ticketsGoing: Promise<unknown> | null = null
  /** Which directory was last seen at its path, where other users could swap it. */
  #listed: Identity | null = null
  /** It was seen to be no mount of its own. */
  #liesInDirectory = false
  #nextMarkerLookMs = Number.NEGATIVE_INFINITY
  #seen: Seen

  constructor(directory: LockDirectory, parts: LockPath, claim: Claim) {
    this.directory = directory
    this.#parts = parts
    this.#claim = claim
    this.#seen = this.#see()
  }

  get path(): string {
    return this.#parts.path
  }

  get key(): string {
    return this.#now().key
  }

  get site(): Site {
    return this.#now().site
  }

  get waitStyle(): WaitStyle {
    return { isLocal: this.directory.facts.coherent, refreshRateMs: this.directory.refreshRateMs }
  }

  readonly hasTickets = true

  line(): Line {
    return new LinkLine(this)
  }

  run<Result>(program: Protocol<Result>): Promise<Result> {
    return runAsynchronously(this.directory.run(program, undefined, this.directory.footing(this.path, this.#listed)))
  }

  get fileSystem(): string | null {
    return this.directory.facts.fileSystem
  }

  get #refused(): Refused {
    return { path: this.path, claim: this.#claim, fileSystem: this.fileSystem }
  }

  get ground(): Ground | null {
    return this.directory.facts.ground
  }

  /** What is remembered saves a listing, and nothing depends on it but what is not settled. */
  get mayBeForgotten(): boolean {
    return this.#memory.unsettled === null
  }

  #now(): Seen {
    if (this.#seen.facts !== this.directory.facts) this.#seen = this.#see()
    return this.#seen
  }

  #see(): Seen {
    const { facts, surroundings } = this.directory
    const { path, directory, name } = this.#parts
    const { dev, ino, mode } = facts
    const site = { path, directory, dev, mode, claim: this.#claim, memory: this.#memory, surroundings }
    // Locks of two types do not wait for each other in one process: as between two processes, the one that is there is refused.
    return { facts, key: `${this.#claim.kind}:${dev}:${ino}:${name}`, site }
  }

  /** @throws LockFileSystemError where it is a mount of its own: then nothing that is found beside it counts */
  *refuseMount(): Work<void> {
    if (this.#liesInDirectory) return
    const isMount = yield* this.directory.run(
      isMountOfItsOwn(this.site),
      undefined,
      this.directory.footing(this.path, this.#listed),
    )
    if (isMount === true) throw mountedError(this.path)
    this.#liesInDirectory = isMount === false
  }

  *tryTake(options: TryOptions): Work<TryOutcome> {
    // Of a hard link it need not be asked before: the kernel makes none between two mounts.
    if (!this.#claim.countsLinks) yield* this.refuseMount()
    let spent: Outcome<'session-spent'> | null = null
    for (let tries = 0; tries < SESSIONS_TRIED_MAX; tries++) {
      const session = yield* this.directory.session()
      if (!session.isInUse) yield* session.mount.budget.admit(this.path, session.leaseMs)
      session.enter()
      try {
        const { outcome, listed } = yield* this.#attempt(session, options)
        if (outcome.kind === 'failed' && outcome.code === 'EXDEV') yield* this.refuseMount()
        if (outcome.kind !== 'session-spent') return this.#result(session, outcome, listed)
        spent = outcome
        this.directory.spend(session)
      } finally {
        session.leave()
      }
    }
    assert(spent !== null, 'a session that was tried', SESSIONS_TRIED_MAX)
    // An error that persists is reported as itself.
    if (spent.failure !== undefined) throw attemptFailed(this.#refused, spent.failure)
    throw sessionsSpent(this.path, SESSIONS_TRIED_MAX, spent.why)
  }

  /** `listed`: the directory that was worked in, where other users could swap it. */
  *#attempt(
    session: LinkSession,
    { fresh, seenFree, wanted }: TryOptions,
  ): Work<{ outcome: AttemptOutcome; listed: Identity | null }> {
    const { site, directory } = this
    const footing = directory.footing(this.path, this.#listed)
    const outcome = yield* directory.run(attempt(site, session.file, fresh, seenFree), new Attempting(session, wanted), footing)
    const listed = footing?.seen(this.path) ?? null
    this.#listed = listed
    this.settleLater(session)
    if (outcome.kind === 'acquired') {
      if (outcome.below.length > 0) yield* directory.cleanUp(site, outcome.below, listed)
      this.#keepMarkerLater(session, listed)
    }
    return { outcome, listed }
  }

  #keepMarkerLater({ file }: LinkSession, listed: Identity | null): void {
    const { ownMs } = readClock()
    if (ownMs < this.#nextMarkerLookMs || !this.directory.markerLooks.take(ownMs)) return
    this.#nextMarkerLookMs = ownMs + MARKER_LOOK_MS
    const serverMs = file.lastBeat.serverMs + (ownMs - file.lastBeat.ownMs)
    const { site, directory } = this
    const footing = directory.footing(this.path, listed)
    directory.seeThrough(directory.runAsynchronously(keepMarker(site, serverMs), undefined, footing))
  }

  /**
   * What was left in doubt is settled with the heartbeats of the session, whether or not this process asks for the lock
   * again.
   */
  settleLater({ mount }: LinkSession): void {
    const { unsettled } = this.#memory
    if (unsettled !== null) mount.settle(unsettled.sessionId, this.path, unsettled.generation)
  }

  #result(session: LinkSession, outcome: Exclude<AttemptOutcome, Outcome<'session-spent'>>, listed: Identity | null): TryOutcome {
    switch (outcome.kind) {
      case 'acquired':
        return this.#acquired(session, outcome, listed)
      case 'busy':
        return this.#busy(outcome)
      case 'cancelled':
        return { kind: 'cancelled' }
      case 'foreign':
        throw foreignError(this.path, outcome.what)
      case 'failed':
        throw attemptFailed(this.#refused, outcome)
    }
  }

  #busy({ generation, holder, why }: Outcome<'busy'>): TryOutcome {
    if (holder === null) return { kind: 'busy', generation, holder: `an unknown process (${why})`, owner: null }
    const sameHost = isSameHost(holder, this.directory.surroundings.me)
    const owner = toHolder(holder, { sinceMs: null, heartbeatAgeMs: null, sameHost })
    return { kind: 'busy', generation, holder: describeHolder(holder), owner }
  }

  #acquired(
    session: LinkSession,
    { generation, entry, isWaitedFor, takenFrom }: Outcome<'acquired'>,
    directory: Identity | null,
  ): TryOutcome {
    const { floor } = this.#memory
    assert(generation === floor, `the generation that was tried last, ${floor}`, generation)
    const hold = new LinkHold(this, session, { generation, entry, directory })
    return { kind: 'acquired', hold, isWaitedFor, takenFrom: takenFrom === null ? null : describeHolder(takenFrom) }
  }

  release(session: LinkSession, { generation, entry, directory }: Claimed): Work<ReleaseOutcome> {
    const footing = this.directory.footing(this.path, directory)
    return this.directory.run(release(this.site, { generation, sessionId: session.id }, entry), session, footing)
  }

  async missing(session: LinkSession, generation: bigint): Promise<LostReason | null> {
    const listed = await this.directory.runAsynchronously(freshListing(this.site))
    const reason = lossShownBy(listed, generation)
    // Where the share is not mounted just now that was the disk below it, and the entry comes back with the share.
    return reason !== null && (await this.directory.isMounted(session)) ? reason : null
  }
}

function lossShownBy(listed: Reply<LockListing>, generation: bigint): LostReason | null {
  if (!listed.ok) return isAbsent(listed.code) ? 'removed' : null
  const { highest, free, crowded } = listed.value
  if (crowded) return null // made in pieces: what is not in it may be there
  if (highest !== null && highest > generation) return free ? 'broken' : 'taken-over'
  return highest !== generation || free ? 'removed' : null
}

/** The caller of an attempt may lose interest in it; what is done for a session that holds something is seen through. */
class Attempting implements Asker {
  readonly #session: LinkSession
  readonly wanted: () => boolean

  constructor(session: LinkSession, wanted: () => boolean) {
    this.#session = session
    this.wanted = wanted
  }

  leaseRemainingMs(id: string): number {
    return this.#session.leaseRemainingMs(id)
  }
}
