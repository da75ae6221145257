/** A hammer on a node, as the asking side sees it: what it has said, what befell it, how it ended. */

import type { LockerOptions } from '../../types.js'
import { endsWithin } from '../shared/bounded.js'
import type { Victim } from '../evidence/chaos.js'
import type { StormEvent } from '../evidence/records.js'
import type { Resource } from '../evidence/resource.js'
import { RemoteError } from '../remote/lines.js'
import type { Node, RemoteWorker } from '../remote/node.js'
import type { HammerSettings } from './hammer.js'
import { hammerWordOf } from './hammer-word.js'

const FINISH_LIMIT_MS = 10_000

export interface PlayerListener {
  onEvent(event: StormEvent): void
  /** It ended, and the asking side had not killed it. */
  onCrash(how: string): void
}

export class Player implements Victim {
  readonly node: Node
  readonly name: string
  /** Its own name would be another one after each kill. */
  readonly place: string
  /** By its machine's clock. */
  readonly events: StormEvent[] = []
  isStopped = false
  #isRunning = false
  #isFinished = false
  #isDistrusted = false
  #worker: RemoteWorker | null = null

  constructor(node: Node, place: string, name: string) {
    this.node = node
    this.place = place
    this.name = name
  }

  /** @throws RemoteError when it, or its node, is gone before it has begun */
  async start(
    settings: Omit<HammerSettings, 'options'> & { options: LockerOptions },
    resource: Resource,
    listener: PlayerListener,
  ): Promise<void> {
    this.#worker = await this.node.startWorker('hammer', ({ said, ended }) => {
      if (ended !== undefined) {
        if (!ended.wasKilled && !this.#isFinished) listener.onCrash(`${ended.signal ?? `exit code ${ended.code}`}`)
        this.#isRunning = false
        return
      }
      const word = hammerWordOf(said)
      if (word === null) {
        if (!this.#isDistrusted) listener.onCrash('it said what no process of locktester says')
        this.#isDistrusted = true
      } else if ('event' in word) {
        this.events.push(word.event)
        listener.onEvent(word.event)
      } else void this.#tellSafely('answer', { ...resource.answer(this.name, word.question) })
    })
    this.#bury = () => resource.bury(this.name)
    await this.#worker.ask('begin', { ...settings, options: { ...settings.options, label: this.name } })
    this.#isRunning = true
  }

  /** As far as its words have come through. */
  get isHolder(): boolean {
    const last = this.events.at(-1)?.type
    return last === 'acquired' || last === 'sure'
  }

  get canBeDisturbed(): boolean {
    return this.#isRunning
  }

  async kill(): Promise<void> {
    this.#isRunning = false
    this.#bury()
    await this.#unlessGone(this.#worker?.signal('kill'))
  }

  async stop(): Promise<void> {
    this.isStopped = true
    await this.#unlessGone(this.#worker?.signal('stop'))
  }

  async continue(): Promise<void> {
    await this.#unlessGone(this.#worker?.signal('continue'))
    this.isStopped = false
  }

  /** Its last turn comes to its end. @returns false when that took too long: it was killed */
  async finish(): Promise<boolean> {
    this.#isFinished = true
    if (!this.#isRunning) return true
    const isDone = await endsWithin(FINISH_LIMIT_MS, this.#tellSafely('finish', {}))
    this.#isRunning = false
    if (!isDone) await endsWithin(FINISH_LIMIT_MS, this.kill())
    return isDone
  }

  #bury: () => void = () => {}

  #tellSafely(op: 'answer' | 'finish', args: Record<string, unknown>): Promise<void> {
    return this.#unlessGone(this.#worker?.ask(op, args))
  }

  /** Its end, and that of its node, are told in other ways. */
  async #unlessGone(asked: Promise<unknown> | undefined): Promise<void> {
    await asked?.catch((error: unknown) => {
      if (!(error instanceof RemoteError)) throw error
    })
  }
}
