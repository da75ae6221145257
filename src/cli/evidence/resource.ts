/**
 * What the locks protect: a few counters that know fencing tokens. It refuses every token below the highest that it has
 * seen, and keeps books of all that was asked. A holder without a token is believed: then the lock alone
 * must keep the order.
 */

import type { ResourceRequest, Token } from './records.js'

export interface Question {
  id: number
  token: Token
  attempt: number
  lock: number
  /** `null`: a read. */
  written: number | null
}

export interface Answer {
  id: number
  accepted: boolean
  value: number
}

export class Resource {
  readonly requests: ResourceRequest[] = []
  readonly #buried = new Set<string>()
  readonly #counters = new Map<number, { highest: bigint; value: number }>()

  /** From now on it is not heard any more: what it had sent may arrive after others have acquired its lock. */
  bury(process: string): void {
    this.#buried.add(process)
  }

  answer(process: string, { id, token, attempt, lock, written }: Question): Answer {
    const counter = this.#counters.get(lock) ?? { highest: -1n, value: 0 }
    this.#counters.set(lock, counter)
    if (this.#buried.has(process)) return { id, accepted: false, value: counter.value }
    const accepted = token === null || BigInt(token) >= counter.highest
    if (accepted) {
      if (token !== null) counter.highest = BigInt(token)
      if (written !== null) counter.value = written
    }
    this.requests.push({ atMs: monotonicMs(), process, attempt, lock, token, written, accepted })
    return { id, accepted, value: counter.value }
  }
}

/** The clock of the logs. */
export const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6
