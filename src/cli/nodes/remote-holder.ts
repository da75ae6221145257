/** A holder on a node, as the asking side sees it: see holder.ts. Every answer has an end: a node may stand still. */

import type { LockerOptions } from '../../types.js'
import { RemoteError } from '../remote/lines.js'
import { type Node, RemoteWorker } from '../remote/node.js'
import { endsWithin } from '../shared/bounded.js'
import type { Holding, Outcome, Release } from './holder.js'

/** What needs no lock is answered in milliseconds; a node that takes this long stands still, or its file server does. */
const ANSWER_LIMIT_MS = 60_000

/** The node did not answer in time. Of locks that says nothing. */
export const NO_ANSWER = 'NO_ANSWER'

export class RemoteHolder {
  readonly node: Node
  readonly #worker: RemoteWorker

  private constructor(node: Node, worker: RemoteWorker) {
    this.node = node
    this.#worker = worker
  }

  static async start(node: Node, options: LockerOptions, path: string): Promise<RemoteHolder> {
    const worker = await answered(node, node.startWorker('holder'))
    await answered(node, worker.ask('open', { options, path }))
    return new RemoteHolder(node, worker)
  }

  get pid(): number {
    return this.#worker.pid
  }

  try(): Promise<Outcome> {
    return this.#ask('try') as Promise<Outcome>
  }

  acquire(waitMs: number): Promise<Outcome> {
    return answered(this.node, this.#worker.ask('acquire', { waitMs }), waitMs + ANSWER_LIMIT_MS) as Promise<Outcome>
  }

  held(): Promise<Holding> {
    return this.#ask('held') as Promise<Holding>
  }

  release(): Promise<Release> {
    return this.#ask('release') as Promise<Release>
  }

  kill(): Promise<void> {
    return answered(this.node, this.#worker.signal('kill'))
  }

  #ask(op: 'try' | 'held' | 'release'): Promise<unknown> {
    return answered(this.node, this.#worker.ask(op))
  }
}

async function answered<T>({ name }: Node, answer: Promise<T>, limitMs = ANSWER_LIMIT_MS): Promise<T> {
  if (await endsWithin(limitMs, answer)) return await answer
  throw new RemoteError({ code: NO_ANSWER, message: `${name} has not answered for ${limitMs / 1000} s` })
}
