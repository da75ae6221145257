/**
 * The nodes of one trial: reached together, made sure to look at one directory, and told to end and to clean up. One that
 * cannot be told notices by itself.
 */

import { join } from 'node:path'
import { assert } from '../../assert.js'
import { randomName } from '../../drivers/identity.js'
import { mountText } from '../shared/mounts.js'
import type { Printer } from '../shared/output.js'
import { type Limitation, limitationOf } from '../shared/scope.js'
import { Node, UnreachableError } from './node.js'
import type { NodeAddress, ReachOptions } from './options.js'

/** How long it took until a file of one node was seen by another. */
export interface Sight {
  by: string
  of: string
  /** `null`: it is not seen there. */
  tookMs: number | null
}

export class Cluster {
  readonly nodes: readonly Node[]
  readonly #printer: Printer
  /** The directory of the trial, inside the one that was named. */
  readonly #trial: string
  /** Nodes that were told to end have nothing to complain of. */
  #isEnding = false

  constructor(command: 'nodes' | 'stress', addresses: readonly NodeAddress[], reach: ReachOptions, printer: Printer) {
    this.#trial = `.locktester-${command}-${randomName()}`
    this.#printer = printer
    const hosts = addresses.map(({ host }) => host)
    this.nodes = addresses.map((address, index) => new Node(nameOf(address.host, index, hosts), address, reach))
  }

  /** @returns false when a node cannot be reached: what there is to say was said */
  async connect(): Promise<boolean> {
    const connections = await Promise.allSettled(this.nodes.map((node) => node.connect()))
    const failed = connections.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    for (const reason of failed) {
      if (!(reason instanceof UnreachableError)) throw reason
      this.#complain(reason.message) // it has lines of its own, and what came from outside in it is harmless
    }
    for (const { name, facts } of failed.length > 0 ? [] : this.nodes) {
      this.#printer.talk(`${name}: ${facts.host} (pid ${facts.pid}), uid ${facts.uid}, Node ${facts.nodeVersion}`)
    }
    return failed.length === 0
  }

  /**
   * Each node leaves a file, and each must see those of the others. @param folders to be made in the directory of the trial
   * @returns `null` when one does not: what there is to say was said
   */
  async meet(folders: readonly string[]): Promise<Sight[] | null> {
    const [first, ...others] = this.nodes
    assert(first !== undefined, 'a node', this.nodes.length)
    const places = [...new Set(this.nodes.map(({ directory }) => directory))]
    if (others.length > 0) this.#printer.talk(`Do they see the same directory? ${places.join(', ')}`)
    await first.enter(this.#trial, folders)
    const isThere = await Promise.all(others.map((node) => node.enter(this.#trial, null)))
    const blind = others.filter((_, index) => !isThere[index])
    for (const node of blind) this.#complain(blindText(node, first))
    if (blind.length > 0) return null
    const uids = new Set(this.nodes.map(({ facts }) => facts.uid))
    if (uids.size > 1)
      this.#printer.warn('OTHER_USER', 'The nodes are reached as different users: locks may fail for want of permission.')
    return await this.#look()
  }

  async #look(): Promise<Sight[] | null> {
    const markOf = (node: Node) => `mark-${this.nodes.indexOf(node)}`
    await Promise.all(this.nodes.map((node) => node.mark(markOf(node))))
    const pairs = this.nodes.flatMap((by) => this.nodes.filter((of) => of !== by).map((of) => ({ by, of })))
    const sights = await Promise.all(
      pairs.map(async ({ by, of }): Promise<Sight> => {
        return { by: by.name, of: of.name, tookMs: await by.sees(markOf(of)) }
      }),
    )
    const unseen = sights.filter(({ tookMs }) => tookMs === null)
    for (const { by, of } of unseen) this.#complain(`${by} does not see a file that ${of} wrote in the directory.`)
    return unseen.length > 0 ? null : sights
  }

  /** What this trial cannot prove, for where its nodes are: known once they have met. */
  get limitation(): Limitation {
    return limitationOf(
      this.nodes.map(({ facts }) => facts),
      this.nodes.map(({ mount }) => mount),
    )
  }

  /** A path in the directory of the trial, as this node has it. */
  pathOn(node: Node, ...inside: readonly string[]): string {
    return join(node.directory, this.#trial, ...inside)
  }

  #complain(message: string): void {
    if (!this.#isEnding) this.#printer.error(message)
  }

  /** The first node made the directory, so it removes it last. */
  async end(): Promise<void> {
    this.#isEnding = true
    const [first, ...others] = this.nodes
    await Promise.all(others.map((node) => node.end()))
    await first?.end()
  }
}

/** Two of the same name are told apart. */
function nameOf(host: string, index: number, all: readonly string[]): string {
  if (all.filter((each) => each === host).length === 1) return host
  return `${host}#${all.slice(0, index + 1).filter((each) => each === host).length}`
}

function blindText(node: Node, first: Node): string {
  return (
    `${node.name} does not see in ${node.directory} what ${first.name} made in ${first.directory}: this is not the same directory. ` +
    `${first.name}: ${mountText(first.mount)}; ${node.name}: ${mountText(node.mount)}. Mount the same share on both.`
  )
}
