/** The clocks of all nodes, asked again and again. */

import { assert } from '../../assert.js'
import { monotonicMs } from '../evidence/resource.js'
import { NO_ANSWER, RemoteError } from '../remote/lines.js'
import type { Node } from '../remote/node.js'
import { ownIdentity } from '../shared/identity.js'
import { messageOf } from '../shared/output.js'
import { NodeClock } from './node-clock.js'

export class NodeClocks {
  readonly #clocks: ReadonlyMap<Node, NodeClock>
  readonly #limitMs: number
  readonly #onSilence: (text: string) => void

  /** @param limitMs for an answer @param onSilence is told each time that a node has not answered */
  constructor(nodes: readonly Node[], limitMs: number, onSilence: (text: string) => void) {
    this.#clocks = new Map(nodes.map((node) => [node, new NodeClock(hasOurClock(node))]))
    this.#limitMs = limitMs
    this.#onSilence = onSilence
  }

  of(node: Node): NodeClock {
    const clock = this.#clocks.get(node)
    assert(clock !== undefined, 'a node of this trial', node.name)
    return clock
  }

  async sample(): Promise<void> {
    await Promise.all([...this.#clocks].map(([node, clock]) => this.#sample(node, clock)))
  }

  async #sample(node: Node, clock: NodeClock): Promise<void> {
    const askedMs = monotonicMs()
    try {
      clock.learn(askedMs, await node.ask('clock', {}, this.#limitMs), monotonicMs())
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      this.#onSilence(error.code === NO_ANSWER ? messageOf(error) : `${node.name} is gone: ${messageOf(error)}`)
    }
  }
}

/** Only by the boot id: the name of a host proves nothing about a clock. */
function hasOurClock({ facts }: Node): boolean {
  const { bootId } = ownIdentity()
  return bootId !== null && facts.bootId === bootId
}
