/**
 * What the link-based locks of a storm protect: a few counters that know fencing tokens. It refuses every token below the
 * highest that it has seen, and keeps books of all that was asked.
 */

import type { ResourceRequest } from './records.js'

interface Question {
  id: number
  token: string
  attempt: number
  lock: number
  written: number | null
}

export class Resource {
  readonly requests: ResourceRequest[] = []
  readonly #counters = new Map<number, { highest: bigint; value: number }>()

  answer(process: string, { id, token, attempt, lock, written }: Question) {
    const counter = this.#counters.get(lock) ?? { highest: -1n, value: 0 }
    this.#counters.set(lock, counter)
    const accepted = BigInt(token) >= counter.highest
    if (accepted) {
      counter.highest = BigInt(token)
      if (written !== null) counter.value = written
    }
    this.requests.push({ atMs: monotonicMs(), process, attempt, lock, token, written, accepted })
    return { id, accepted, value: counter.value }
  }
}

/** The clock of the logs. */
export const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6
