/** What befalls the processes of a storm: which fault, when, to whom, for how long, as the seed will have it. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Ground } from './ground.js'
import { monotonicMs } from './resource.js'
import type { WorkerProcess } from './worker-process.js'

export interface Fault {
  kind: 'kill' | 'stall' | 'clock' | 'disk-full'
  /** `null`: all of them. */
  process: string | null
  fromMs: number
  toMs: number
}

export interface ChaosOptions {
  timeoutIntervalMs: number
  random: () => number
  /** The living; changes while it blows. */
  workers: () => readonly WorkerProcess[]
  ground: Ground
}

const PAUSE_MS_MAX = 250
const DISK_FULL_MS_MAX = 800
const CLOCK_STEP_S_MAX = 4 * 3600

export class Chaos {
  readonly faults: Fault[] = []
  readonly #options: ChaosOptions
  readonly #underWay: Promise<void>[] = []
  #diskIsFull = false

  constructor(options: ChaosOptions) {
    this.#options = options
  }

  async blow(seconds: number): Promise<void> {
    const { random } = this.#options
    const endMs = monotonicMs() + seconds * 1000
    while (monotonicMs() < endMs) {
      await sleep(random() * PAUSE_MS_MAX)
      this.#strike()
    }
  }

  /** Everything that can be undone is undone: clocks excepted. */
  async subside(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  #strike(): void {
    const { random, ground } = this.#options
    const dice = random()
    const victim = this.#victim()
    if (dice < 0.1 && ground.canBeFilled) return this.#start(this.#fillDisk())
    if (victim === undefined) return
    if (dice < 0.35) return this.#start(this.#kill(victim))
    if (dice < 0.5 && victim.clockFile !== null) return this.#stepClock(victim)
    // Half of them have to be left running, or nothing happens at all.
    const stopped = this.#options.workers().filter(({ isStopped }) => isStopped).length
    if (stopped < this.#options.workers().length / 2) this.#start(this.#stall(victim))
  }

  #start(fault: Promise<void>): void {
    this.#underWay.push(fault)
  }

  #victim(): WorkerProcess | undefined {
    const { random, workers } = this.#options
    const possible = workers().filter(({ canBeDisturbed, isStopped }) => canBeDisturbed && !isStopped)
    return possible[Math.floor(random() * possible.length)]
  }

  async #kill(victim: WorkerProcess): Promise<void> {
    const fromMs = monotonicMs()
    await victim.kill()
    this.faults.push({ kind: 'kill', process: victim.name, fromMs, toMs: monotonicMs() })
  }

  /** Half of them are short, the others so long that a lease may run out. */
  async #stall(victim: WorkerProcess): Promise<void> {
    const { random, timeoutIntervalMs } = this.#options
    const fromMs = monotonicMs()
    victim.stop()
    await sleep(random() < 0.5 ? random() * 200 : (0.5 + 2 * random()) * timeoutIntervalMs)
    victim.continue()
    this.faults.push({ kind: 'stall', process: victim.name, fromMs, toMs: monotonicMs() })
  }

  #stepClock(victim: WorkerProcess): void {
    const atMs = monotonicMs()
    victim.setClock(Math.round((2 * this.#options.random() - 1) * CLOCK_STEP_S_MAX))
    this.faults.push({ kind: 'clock', process: victim.name, fromMs: atMs, toMs: atMs })
  }

  async #fillDisk(): Promise<void> {
    const { random, ground } = this.#options
    if (this.#diskIsFull) return
    this.#diskIsFull = true
    const fromMs = monotonicMs()
    ground.fill(random() < 0.5 ? 'space' : 'inodes')
    await sleep(random() * DISK_FULL_MS_MAX)
    ground.drain()
    this.#diskIsFull = false
    this.faults.push({ kind: 'disk-full', process: null, fromMs, toMs: monotonicMs() })
  }
}
