/** What befalls the processes of a storm on top of kills and stalls: wrong clocks, and a disk that is full. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Chaos, type ChaosOptions } from '../../src/cli/evidence/chaos.js'
import { monotonicMs } from '../../src/cli/evidence/resource.js'
import type { Ground } from './ground.js'
import type { WorkerProcess } from './worker-process.js'

const DISK_FULL_MS_MAX = 800
const CLOCK_STEP_S_MAX = 4 * 3600

export class StormChaos extends Chaos<WorkerProcess> {
  readonly #ground: Ground
  #diskIsFull = false

  constructor(options: ChaosOptions<WorkerProcess>, ground: Ground) {
    super(options)
    this.#ground = ground
  }

  protected override strike(): void {
    const dice = this.options.random()
    if (dice < 0.1 && this.#ground.canBeFilled) return this.start(this.#fillDisk())
    const victim = dice < 0.25 ? this.victim() : undefined
    if (victim !== undefined && victim.clockFile !== null) return this.#stepClock(victim)
    super.strike()
  }

  #stepClock(victim: WorkerProcess): void {
    const atMs = monotonicMs()
    victim.setClock(Math.round((2 * this.options.random() - 1) * CLOCK_STEP_S_MAX))
    this.faults.push({ kind: 'clock', process: victim.name, fromMs: atMs, toMs: atMs })
  }

  async #fillDisk(): Promise<void> {
    if (this.#diskIsFull) return
    this.#diskIsFull = true
    const { random } = this.options
    const fromMs = monotonicMs()
    this.#ground.fill(random() < 0.5 ? 'space' : 'inodes')
    await sleep(random() * DISK_FULL_MS_MAX)
    this.#ground.drain()
    this.#diskIsFull = false
    this.faults.push({ kind: 'disk-full', process: null, fromMs, toMs: monotonicMs() })
  }
}
