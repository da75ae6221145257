/** The processes of `locktester stress`: one at each place, and another one at the place of each that was killed. */

import { assert } from '../../assert.js'
import type { LockerOptions } from '../../types.js'
import type { Life } from '../evidence/picture.js'
import type { StormEvent } from '../evidence/records.js'
import { monotonicMs, type Resource } from '../evidence/resource.js'
import { RemoteError } from '../remote/lines.js'
import type { Node } from '../remote/node.js'
import { messageOf } from '../shared/output.js'
import { Player } from './player.js'

export interface CrewTask {
  pathOn(node: Node): string
  options: LockerOptions
  waitMs: number
}

export class Crew {
  readonly players: Player[] = []
  readonly lives: Life[] = []
  /** By place: the one that has it now. */
  readonly #living = new Map<string, Player>()
  readonly #task: CrewTask
  readonly #resource: Resource
  readonly #onCrash: (text: string) => void
  acquisitions = 0
  losses = 0

  constructor(task: CrewTask, resource: Resource, onCrash: (text: string) => void) {
    this.#task = task
    this.#resource = resource
    this.#onCrash = onCrash
  }

  get living(): readonly Player[] {
    return [...this.#living.values()]
  }

  /** @throws RemoteError */
  async startAll(nodes: readonly Node[], each: number): Promise<void> {
    const places = nodes.flatMap((node) => Array.from({ length: each }, (_, index) => ({ node, index })))
    await Promise.all(places.map(({ node, index }) => this.#start(node, `${node.name} ${index + 1}`)))
  }

  async #start(node: Node, place: string): Promise<void> {
    const before = this.lives.filter((life) => life.place === place).length
    const player = new Player(node, place, before === 0 ? place : `${place}, life ${before + 1}`)
    this.players.push(player)
    this.#living.set(place, player)
    this.lives.push({ name: player.name, place, fromMs: monotonicMs(), toMs: Number.POSITIVE_INFINITY })
    const { pathOn, options, waitMs } = this.#task
    await player.start({ path: pathOn(node), options, waitMs }, this.#resource, {
      onEvent: (event) => this.#count(event),
      onCrash: (how) => this.#onCrash(`The process ${player.name} ended by itself (${how})`),
    })
  }

  #count({ type }: StormEvent): void {
    if (type === 'acquired') this.acquisitions++
    if (type === 'lost') this.losses++
  }

  buried(killed: Player): void {
    const life = this.lives.find(({ name }) => name === killed.name)
    assert(life !== undefined, 'a process with a life', killed.name)
    life.toMs = monotonicMs()
  }

  async replace({ node, place }: Player): Promise<void> {
    try {
      await this.#start(node, place)
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      this.#onCrash(`No other ${place} could be started: ${messageOf(error)}`)
    }
  }

  /** Each comes to the end of its turn. */
  async finish(): Promise<void> {
    const finished = await Promise.all(this.living.map(async (player) => ({ player, isDone: await player.finish() })))
    for (const { player, isDone } of finished) if (!isDone) this.#onCrash(`The process ${player.name} did not end in time`)
  }
}
