/** A holder on a node, as the one who asks sees it: see holder.ts. */

import type { LockerOptions } from '../../types.js'
import { type Node, RemoteWorker } from '../remote/node.js'
import type { Outcome } from './holder.js'

export class RemoteHolder {
  readonly node: Node
  readonly #worker: RemoteWorker

  private constructor(node: Node, worker: RemoteWorker) {
    this.node = node
    this.#worker = worker
  }

  static async start(node: Node, options: LockerOptions, path: string): Promise<RemoteHolder> {
    const worker = await node.startWorker('holder')
    await worker.ask('open', { options, path })
    return new RemoteHolder(node, worker)
  }

  get pid(): number {
    return this.#worker.pid
  }

  try(): Promise<Outcome> {
    return this.#worker.ask('try') as Promise<Outcome>
  }

  acquire(waitMs: number): Promise<Outcome> {
    return this.#worker.ask('acquire', { waitMs }) as Promise<Outcome>
  }

  held(): Promise<boolean> {
    return this.#worker.ask('held') as Promise<boolean>
  }

  async release(): Promise<void> {
    await this.#worker.ask('release')
  }

  kill(): Promise<void> {
    return this.#worker.signal('kill')
  }
}
