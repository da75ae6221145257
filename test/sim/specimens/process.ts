/** A process that uses a specimen: acquires, works while a timer refreshes, releases. It gets no token, so what is checked is overlap. */

import { UID } from '../server.js'
import type { LocalQuestion } from '../../../src/protocol/operations.js'
import type { Node } from '../node.js'
import type { Program } from '../process.js'
import type { Actor, Thread, World } from '../world.js'

/** A lock of another program, as programs for the world. */
export interface Specimen {
  name: string
  acquire(process: SpecimenProcess): Program<boolean>
  refresh(process: SpecimenProcess): Program<void>
  release(process: SpecimenProcess): Program<void>
}

export class SpecimenProcess implements Actor {
  readonly node: Node
  readonly name: string
  readonly uid = UID
  readonly timeoutMs: number
  alive = true
  stoppedUntilMs = 0
  missing: number
  /** Since when it holds, or has last refreshed, in true time; `null`: it does not hold. */
  heldSinceMs: number | null = null
  /** It was stopped, or its machine stood still: then nothing is promised. */
  wasInterrupted = false
  readonly #world: World
  readonly #specimen: Specimen
  readonly #onAcquired: (process: SpecimenProcess) => void

  constructor(
    world: World,
    node: Node,
    name: string,
    timeoutMs: number,
    acquisitions: number,
    specimen: Specimen,
    onAcquired: (process: SpecimenProcess) => void,
  ) {
    this.node = node
    this.name = name
    this.timeoutMs = timeoutMs
    this.missing = acquisitions
    this.#world = world
    this.#specimen = specimen
    this.#onAcquired = onAcquired
  }

  answer(question: LocalQuestion, _thread: Thread): unknown {
    if (question.op === 'clock') return { ownMs: this.node.ownMs, wallMs: this.node.wallMs }
    return question.op === 'wanted'
  }

  start(): void {
    this.#world.spawn(this, 'main', this.#life(), this.#world.random.between(0, 20))
    this.#world.spawn(this, 'timer', this.#refreshes(), 0)
  }

  *#life(): Program {
    const { random } = this.#world
    while (this.missing > 0) {
      yield { op: 'sleep', ms: random.logarithmic(0.1, 50) }
      if (!(yield* this.#specimen.acquire(this))) continue
      this.missing--
      this.heldSinceMs = this.#world.nowMs
      this.#onAcquired(this)
      yield { op: 'sleep', ms: random.logarithmic(0.1, 2 * this.timeoutMs) }
      this.heldSinceMs = null
      yield* this.#specimen.release(this)
    }
  }

  *#refreshes(): Program {
    while (this.missing > 0 || this.heldSinceMs !== null) {
      yield { op: 'sleep', ms: this.timeoutMs / 3 }
      if (this.heldSinceMs === null) continue
      const beganMs = this.#world.nowMs
      yield* this.#specimen.refresh(this)
      if (this.heldSinceMs !== null) this.heldSinceMs = beganMs
    }
  }
}
