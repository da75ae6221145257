/**
 * What befalls the processes of `locktester stress`. A fault mostly befalls the holder of the lock: a fault of another
 * process makes no difference to the rest.
 */

import { Chaos, type ChaosOptions } from '../evidence/chaos.js'
import type { Player } from './player.js'

/** Of all victims. */
const HOLDERS = 0.6

export class StressChaos extends Chaos<Player> {
  readonly #onKilled: (victim: Player) => Promise<void>
  #hasKilled = false

  /** @param onKilled another one follows */
  constructor(options: ChaosOptions<Player>, onKilled: (victim: Player) => Promise<void>) {
    super(options)
    this.#onKilled = onKilled
  }

  /** The first fault is a kill: with bad luck a run of some seconds would else have none, and prove nothing. */
  protected override strike(): void {
    const victim = this.#hasKilled ? undefined : this.victim()
    if (victim === undefined) super.strike()
    else this.start(this.kill(victim))
  }

  protected override victim(): Player | undefined {
    const holder = this.options.victims().find((player) => player.isHolder && player.canBeDisturbed && !player.isStopped)
    return this.options.random() < HOLDERS ? (holder ?? super.victim()) : super.victim()
  }

  protected override async kill(victim: Player): Promise<void> {
    this.#hasKilled = true
    await super.kill(victim)
    await this.#onKilled(victim)
  }
}
