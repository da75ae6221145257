/** A holder on a node, as the asking side sees it: see holder.ts. Every answer has an end: a node may stand still. */

import type { LockerOptions } from '../../types.js'
import { ANSWER_LIMIT_MS, type Node, type RemoteWorker } from '../remote/node.js'
import type { Holding, Outcome, Release } from './holder.js'

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
    return this.#worker.ask('acquire', { waitMs }, waitMs + ANSWER_LIMIT_MS) as Promise<Outcome>
  }

  held(): Promise<Holding> {
    return this.#worker.ask('held') as Promise<Holding>
  }

  /** Answered by way of the file server. */
  look(): Promise<void> {
    return this.#worker.ask('look')
  }

  release(): Promise<Release> {
    return this.#worker.ask('release') as Promise<Release>
  }

  kill(): Promise<void> {
    return this.#worker.signal('kill')
  }
}
