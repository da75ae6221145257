/**
 * How a process waits for a lock. This is the whole of it:
 *
 * 1. Its first try was in vain. It listens to the lock's directory, so that no release is missed, and tries once more.
 * 2. It makes a ticket (`tickets.ts`), whose name tells which generation was in its way: so waiters are in order, and no
 *    process has to agree on a number. `queue.ts` puts them in that order, for the waiter as for those that show it. From then
 *    on the waiter follows which processes take the lock, and so knows its place (`standing.ts`).
 * 3. A file watch tells releases on the same host. On a network mount the waiter looks as well: cheaply and often, by a
 *    listing that costs one request while nothing changed, now and then for certain, by one after a change of its own, and
 *    more rarely by a try, which also tells whether the holder lives (`pace.ts`).
 * 4. A free lock is left to the first in line for a grace, and then to the next (`decision.ts`), whatever showed that it is free.
 *    So one process tries, and one that is slow, stopped or dead delays the others by no more than the grace.
 * 5. A process that comes back to a lock which it has just released leaves it for a grace to those that have tickets
 *    (`coming-back.ts`). When it sees one of them take it, it makes its ticket at once.
 *
 * All of it is a courtesy. That a lock is held by one process at a time is the protocol's doing, and it knows nothing of this.
 *
 * Without tickets wait blocking calls, whose thread can do nothing else, and those that want an advisory lock: they try again
 * after a while (`Backoff`), and chance decides which of them comes first. That a process does not keep an advisory lock for
 * itself is a matter of coming back to it as well; a blocking call that comes back takes what is free.
 */

import { assert } from '../assert.js'
import { clearTimeout, monotonicMs, setTimeout } from '../drivers/clock.js'
import type { Ahead, Line, WaitStyle } from '../lock-type/lock-type.js'
import { parseEntry } from '../protocol/names.js'
import { decide, type Known, type Occasion, type Since } from './decision.js'
import { LineWatch } from './line-watch.js'
import { Backoff, BRISK_MS, CERTAIN_GROWTH, CERTAIN_LOOK_MS, FIRST_BRISK_MS, jittered, type Pace, paceOf } from './pace.js'
import { TURNS_MAX, turnMsOf } from './queue.js'
import { Standing } from './standing.js'

/** A process that has taken the lock removes its ticket by then. */
const TICKET_GONE_MS = 3
/** By then for certain, on a busy machine too. Both chosen, not measured: earlier costs a grace, later nothing. */
const TICKET_GONE_MS_MAX = 50

/** So many waiters watch the lock itself: the first, and those that follow when it is slow. */
const NEAR = 3

const NEVER = Number.POSITIVE_INFINITY

/** `taken`: another process has it, so that there is nothing to leave any more. */
type End = Occasion | 'taken'

/** Waits between the tries of one acquisition. Listens from the moment it is made, so that no release is missed. */
export class Waiter {
  readonly #style: WaitStyle
  readonly #line: Line | null
  readonly #watch: LineWatch | null
  #pace: Pace
  readonly #backoff: Backoff
  readonly #known: Known = { freeMs: null, turnMs: 0, standMs: null, lookMs: null, tryMs: NEVER }
  readonly #standing = new Standing()
  /** The highest generation that was seen, and when it last changed. */
  #generation = -1n
  #changedMs = Number.NEGATIVE_INFINITY
  /** It was free, as far as was seen, when the last wait ended. */
  #seenFree: bigint | null = null
  /** From then on the next look is a certain one. */
  #certainMs = NEVER
  /** The server's time stamps are whole seconds. */
  #isCoarse = false
  #isLate = false
  #isAsking = false
  #isClosed = false
  #standsBack = false
  #timer: NodeJS.Timeout | undefined
  /** Ends the wait that is under way; `null` while its acquisition tries. */
  #resume: ((end: End) => void) | null = null
  #fail: (error: unknown) => void = () => {}

  constructor(style: WaitStyle, line: Line | null) {
    this.#style = style
    this.#line = line
    this.#watch = line && new LineWatch(line.path, (name) => this.#onName(name), this.#onTicketGone.bind(this))
    this.#pace = paceOf(style, this.#watch?.isThere === true)
    this.#backoff = new Backoff(style)
  }

  /** How many waiters came before, `null` where that is not known. */
  get before(): number | null {
    return this.#standing.before
  }

  /** The generation that was seen to be free, if that is why it is worth trying. */
  get seenFree(): bigint | null {
    return this.#seenFree
  }

  /** What it has seen since that generation was in the way. */
  since(generation: bigint | null): Since {
    if (generation === null || this.#generation < generation) return 'nothing'
    if (this.#generation > generation) return 'changed hands'
    return this.#known.freeMs !== null || this.#seenFree === generation ? 'released' : 'nothing'
  }

  /** Resolves when it is worth trying again. `generation`: which one was in the way, where there are any. */
  again(generation: bigint | null): Promise<Occasion> {
    const nowMs = monotonicMs()
    if (generation !== null) this.#sawHeld(generation, null, nowMs)
    if (this.#line === null) this.#known.tryMs = nowMs + this.#backoff.nextMs()
    else this.#planInLine(nowMs)
    return this.#wait() as Promise<Occasion>
  }

  /** The same for a process that has seen another one take the lock. By {@link untriedMs} a try tells which one that was. */
  untried(): Promise<Occasion> {
    assert(this.#line !== null, 'a line, which has shown it', this.#line)
    const nowMs = monotonicMs()
    this.#planInLine(nowMs)
    this.#known.tryMs = Math.min(this.#known.tryMs, nowMs + this.untriedMs)
    return this.#wait() as Promise<Occasion>
  }

  /** Between nodes a try may find the lock free before a look does, and then it passes by all that wait. */
  get untriedMs(): number {
    return this.#style.isLocal ? TURNS_MAX * this.#pace.graceMs : this.#pace.tryMs.first
  }

  /** Leaves the lock, which this process has released, to others until then. Resolves with whether one of them has taken it. */
  async standBack(untilMs: number): Promise<boolean> {
    const nowMs = monotonicMs()
    this.#standsBack = true
    const lookMs = this.#nextLookMs(nowMs)
    Object.assign(this.#known, { freeMs: nowMs, turnMs: untilMs - nowMs, standMs: null, tryMs: NEVER, lookMs })
    const end = await this.#wait()
    this.#standsBack = false
    this.#known.freeMs = null
    return end === 'taken'
  }

  #planInLine(nowMs: number): void {
    const { first, others } = this.#pace.tryMs
    this.#known.tryMs = nowMs + jittered(this.#standing.isFirst ? first : others)
    this.#known.lookMs = this.#nextLookMs(nowMs)
    // After a try in vain; and one that was late looks whether the one before it still lives.
    this.#known.standMs = nowMs
  }

  /** The first in line is the one that finds a holder that died: what it had planned as one of the others comes sooner. */
  #tryAsFirst(nowMs: number): void {
    const { tryMs } = this.#known
    if (this.#standing.isFirst && tryMs < NEVER) this.#known.tryMs = Math.min(tryMs, nowMs + jittered(this.#pace.tryMs.first))
  }

  #nextLookMs(nowMs: number): number | null {
    const { lookMs } = this.#pace
    if (lookMs === null || this.#line === null) return null
    const { brisk, first, others } = lookMs
    const sinceMs = nowMs - this.#changedMs
    if (this.#standing.isFirst) return nowMs + jittered(sinceMs < FIRST_BRISK_MS ? brisk : first)
    if (this.#standsBack) return nowMs + jittered(first)
    const isBrisk = sinceMs < BRISK_MS || this.#known.freeMs !== null
    return nowMs + jittered(isBrisk ? Math.min(others, Math.max(1, this.before ?? 0) * first) : others)
  }

  #wait(): Promise<End> {
    assert(this.#resume === null, 'one wait at a time', 'a second one')
    return new Promise((resolve, reject) => {
      this.#resume = resolve
      this.#fail = reject
      this.#act(monotonicMs())
    })
  }

  /** Does what is to be done by what is known now. */
  #act(nowMs: number): void {
    if (this.#resume === null) return
    clearTimeout(this.#timer)
    // One question to the file system at a time; what is seen meanwhile is acted upon all the same.
    const decision = decide(this.#isAsking ? { ...this.#known, standMs: null, lookMs: null } : this.#known, nowMs)
    switch (decision.kind) {
      case 'try':
        this.#isLate = decision.occasion === 'late'
        return this.#end(decision.occasion)
      case 'stand':
        this.#known.standMs = null
        return this.#ask((line) => this.#stand(line))
      case 'look':
        this.#known.lookMs = null
        return this.#ask((line) => this.#look(line))
      case 'watch': {
        const { untilMs } = decision
        // A timer may fire a fraction of a millisecond early: then it is time all the same.
        if (untilMs < NEVER) this.#timer = setTimeout(() => this.#act(Math.max(untilMs, monotonicMs())), untilMs - nowMs)
      }
    }
  }

  #ask(question: (line: Line) => Promise<void>): void {
    assert(this.#line !== null, 'a line to ask about', this.#line)
    this.#isAsking = true
    question(this.#line)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#isAsking = false
        this.#act(monotonicMs())
      })
    this.#act(monotonicMs())
  }

  async #stand(line: Line): Promise<void> {
    const sinceMs = this.#changedMs
    const guess = this.before
    const place = await line.stand(this.#generation < 0n ? null : this.#generation, this.#isLate)
    const ahead = this.#standing.stillWaiting(place.ahead)
    this.#isLate = false
    this.#isCoarse = place.isCoarse
    const nowMs = monotonicMs()
    // The ticket of the process that has just taken the lock may still be there.
    const mayBeHolders = guess !== null && ahead.length > guess && nowMs - sinceMs < TICKET_GONE_MS_MAX
    if (mayBeHolders) this.#known.standMs = sinceMs + TICKET_GONE_MS_MAX
    else this.#standAt(ahead)
    if (sinceMs !== this.#changedMs) this.#standAgain(nowMs)
    const nextLookMs = this.#nextLookMs(nowMs)
    if (nextLookMs !== null) this.#known.lookMs = Math.min(this.#known.lookMs ?? nextLookMs, nextLookMs)
  }

  /**
   * A release concerns those that are near: all others sleep on, and each of them watches the ticket that is gone when it has
   * become one of these.
   */
  #watchFor(ahead: readonly Ahead[]): void {
    if (this.#watch === null || this.#isClosed) return
    // A waiter that looks sees its turn come.
    const followed = this.#pace.lookMs === null ? (ahead[ahead.length - NEAR]?.ticket ?? null) : null
    if (this.#watch.listenTo(followed)) this.#comeNear()
    this.#pace = paceOf(this.#style, this.#watch.isThere)
  }

  #onTicketGone(): void {
    this.#watch?.listenTo(null)
    this.#comeNear()
    this.#act(monotonicMs())
  }

  #comeNear(): void {
    this.#standing.outdated()
    this.#known.lookMs = monotonicMs() // what happened while it did not listen to the lock
  }

  async #look(line: Line): Promise<void> {
    const isCertain = monotonicMs() >= this.#certainMs
    const seen = await line.glance(isCertain)
    const nowMs = monotonicMs()
    if (isCertain) this.#certainMs = this.#nextCertainMs(nowMs)
    if (seen?.isFree) this.#sawFree(seen.generation, nowMs)
    else if (seen !== null) this.#sawHeld(seen.generation, seen.sessionFile, nowMs)
    this.#isLate ||= isCertain
    if (isCertain || this.#standing.isOutdated) this.#known.standMs ??= nowMs
    this.#known.lookMs = this.#nextLookMs(nowMs)
  }

  /**
   * A cached listing hides a change that fell into the same tick of the server's clock as the one that it shows. So a certain
   * look follows a change; and since that makes a change itself, another one follows, later each time. Where a tick is a second,
   * all that happens within one is hidden.
   */
  #nextCertainMs(nowMs: number): number {
    const sinceMs = nowMs - this.#changedMs
    return nowMs + (this.#isCoarse && sinceMs < BRISK_MS ? this.#certainLookMs : (CERTAIN_GROWTH - 1) * sinceMs)
  }

  get #certainLookMs(): number {
    return (1 + (this.before ?? 0)) * CERTAIN_LOOK_MS
  }

  #onName(name: string | null): void {
    const nowMs = monotonicMs()
    if (name === null) {
      this.#known.tryMs = nowMs // it may have been a release
      return this.#act(nowMs)
    }
    const entry = parseEntry(name)
    if (entry === null) return
    // A name is told when it appears, and again when the next holder removes it.
    if (entry.isFree) this.#sawFree(entry.generation, nowMs)
    else this.#sawHeld(entry.generation, entry.sessionFile, nowMs)
    this.#act(nowMs)
  }

  #sawFree(generation: bigint, nowMs: number): void {
    if (generation < this.#generation || (generation === this.#generation && this.#known.freeMs !== null) || this.#standsBack)
      return
    const isHandOver = generation > this.#generation
    if (isHandOver) this.#served(generation, null)
    this.#generation = generation
    this.#changedMs = nowMs
    this.#known.freeMs = nowMs
    // While it is left to those that came before, there is time to see whether they still wait.
    if (isHandOver) this.#known.standMs ??= nowMs
  }

  /** Another process has it: the one that its entry tells, or most likely the first in line. */
  #sawHeld(generation: bigint, sessionFile: string | null, nowMs: number): void {
    if (generation <= this.#generation) return
    const isCertain = !this.#standsBack && this.#served(generation, sessionFile)
    this.#generation = generation
    this.#changedMs = nowMs
    this.#certainMs = nowMs + this.#certainLookMs
    this.#known.freeMs = null
    if (this.#standsBack) return this.#end('taken')
    if (!this.#standing.isCurrent) return // it is asked for
    if (!isCertain || !this.#standing.isFirst) this.#standAgain(nowMs)
  }

  /** Each generation was claimed by a process: looks may have missed some of them. */
  #served(generation: bigint, sessionFile: string | null): boolean {
    const isCertain = this.#standing.served(generation, sessionFile, Number(generation - this.#generation) - 1)
    if (this.#standing.isCurrent) this.#known.turnMs = this.#turnMs
    return isCertain
  }

  #standAgain(nowMs: number): void {
    if (!this.#standing.isFar) this.#known.standMs ??= nowMs + TICKET_GONE_MS
  }

  #standAt(ahead: readonly Ahead[]): void {
    this.#standing.placed(ahead)
    this.#tryAsFirst(monotonicMs())
    this.#known.turnMs = this.#turnMs
    this.#watchFor(ahead)
  }

  get #turnMs(): number {
    return turnMsOf(this.before ?? 0, this.#pace.graceMs)
  }

  #end(end: End): void {
    const resume = this.#resume
    this.#resume = null
    this.#seenFree = this.#known.freeMs === null ? null : this.#generation
    if (end !== 'late') this.#known.freeMs = null
    resume?.(end)
  }

  /** Ends the wait at once, the watch, and its place in the line. @returns when that is given up */
  close(): Promise<unknown> {
    this.#isClosed = true
    this.#watch?.close()
    clearTimeout(this.#timer)
    const left = this.#line?.leave()
    this.#end('late')
    return left ?? Promise.resolve()
  }
}
