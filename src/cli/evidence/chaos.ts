/** What befalls processes on purpose: which fault, when, to which process, for how long, as the random numbers will have it. */

import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs } from './resource.js'

export interface Fault {
  kind: 'kill' | 'stall' | 'clock' | 'disk-full'
  /** `null`: all of them. */
  process: string | null
  fromMs: number
  toMs: number
}

/** A process that can be killed (SIGKILL), stopped (SIGSTOP) and continued. */
export interface Victim {
  readonly name: string
  /** It is running, and `kill` has not been called. */
  readonly canBeDisturbed: boolean
  readonly isStopped: boolean
  /** Resolves when it is gone. */
  kill(): Promise<void>
  stop(): void | Promise<void>
  continue(): void | Promise<void>
}

export interface ChaosOptions<V extends Victim> {
  timeoutIntervalMs: number
  random: () => number
  /** The living; changes meanwhile. */
  victims: () => readonly V[]
  pauseMsMax: number
}

/** Of all faults. */
const KILLS = 0.35

export class Chaos<V extends Victim> {
  readonly faults: Fault[] = []
  protected readonly options: ChaosOptions<V>
  readonly #underWay: Promise<void>[] = []
  readonly #over = new AbortController()

  constructor(options: ChaosOptions<V>) {
    this.options = options
  }

  /** Strikes again and again; the first pause is of the middle length, so that it is known from when on a run has faults. */
  async blow(isOver: () => boolean): Promise<void> {
    const { random, pauseMsMax } = this.options
    for (let pauseMs = pauseMsMax / 2; ; pauseMs = random() * pauseMsMax) {
      await sleep(pauseMs)
      if (isOver()) return
      this.strike()
    }
  }

  /** Undoes what can be undone, and resolves when that is done. */
  async subside(): Promise<void> {
    this.#over.abort()
    await Promise.all(this.#underWay)
  }

  protected strike(): void {
    const victim = this.victim()
    if (victim === undefined) return
    if (this.options.random() < KILLS) return this.start(this.kill(victim))
    // Half of them have to be left running, or nothing happens at all.
    const victims = this.options.victims()
    if (victims.filter(({ isStopped }) => isStopped).length < victims.length / 2) this.start(this.stall(victim))
  }

  protected start(fault: Promise<void>): void {
    fault.catch(() => {}) // told by `subside`
    this.#underWay.push(fault)
  }

  protected victim(): V | undefined {
    const { random, victims } = this.options
    const possible = victims().filter(({ canBeDisturbed, isStopped }) => canBeDisturbed && !isStopped)
    return possible[Math.floor(random() * possible.length)]
  }

  protected async kill(victim: V): Promise<void> {
    const fromMs = monotonicMs()
    await victim.kill()
    this.faults.push({ kind: 'kill', process: victim.name, fromMs, toMs: monotonicMs() })
  }

  /** Half of them are short, the others so long that a lease may run out. */
  protected async stall(victim: V): Promise<void> {
    const { random, timeoutIntervalMs } = this.options
    const fromMs = monotonicMs()
    await victim.stop()
    const stallMs = random() < 0.5 ? random() * 200 : (0.5 + 2 * random()) * timeoutIntervalMs
    await sleep(stallMs, undefined, { signal: this.#over.signal }).catch(() => {})
    await victim.continue()
    this.faults.push({ kind: 'stall', process: victim.name, fromMs, toMs: monotonicMs() })
  }
}
