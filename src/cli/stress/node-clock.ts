/**
 * What a node's monotonic clock shows, in ours. Only the order of messages is believed: an answer that says "it is t here"
 * was given between the question and its arrival. In between two such samples clocks are trusted to run at the same speed,
 * but for what the kernel may slew them.
 */

import { present } from '../../assert.js'

/** Of one part in a thousand: twice what adjtimex(2) allows. */
const DRIFT = 0.001

interface Sample {
  /** By the node's clock. */
  shownMs: number
  /** What has to be added to that to have ours, at least and at most. */
  lowestMs: number
  highestMs: number
}

export interface Moment {
  atMs: number
  slackMs: number
}

export class NodeClock {
  readonly #samples: Sample[] = []
  readonly #isOurs: boolean

  /** @param isSameMachine by its boot id: then it is our clock, if the samples agree with that */
  constructor(isSameMachine: boolean) {
    this.#isOurs = isSameMachine
  }

  learn(askedMs: number, shownMs: number, answeredMs: number): void {
    this.#samples.push({ shownMs, lowestMs: askedMs - shownMs, highestMs: answeredMs - shownMs })
  }

  /** The worst that any moment may be off. */
  get slackMs(): number {
    if (this.#isOurClock) return 0
    return this.#samples.length === 0
      ? Number.POSITIVE_INFINITY
      : Math.max(...this.#samples.map(({ lowestMs, highestMs }) => (highestMs - lowestMs) / 2))
  }

  /** Our time of a moment there. Samples that contradict each other prove nothing: then the slack is infinite. */
  ours(shownMs: number): Moment {
    if (this.#isOurClock) return { atMs: shownMs, slackMs: 0 }
    if (this.#samples.length === 0) return { atMs: shownMs, slackMs: Number.POSITIVE_INFINITY }
    let [lowestMs, highestMs] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (const sample of this.#around(shownMs)) {
      const driftMs = Math.abs(shownMs - sample.shownMs) * DRIFT
      lowestMs = Math.max(lowestMs, sample.lowestMs - driftMs)
      highestMs = Math.min(highestMs, sample.highestMs + driftMs)
    }
    const atMs = shownMs + (lowestMs + highestMs) / 2
    return { atMs, slackMs: highestMs < lowestMs ? Number.POSITIVE_INFINITY : (highestMs - lowestMs) / 2 }
  }

  get #isOurClock(): boolean {
    return this.#isOurs && this.#samples.every(({ lowestMs, highestMs }) => lowestMs <= 0 && highestMs >= 0)
  }

  /** The sample before and the one after it. */
  #around(shownMs: number): Sample[] {
    let [low, high] = [0, this.#samples.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (present(this.#samples[middle], 'a sample').shownMs <= shownMs) low = middle + 1
      else high = middle
    }
    return this.#samples.slice(Math.max(0, low - 1), low + 1)
  }
}
