/** The file server as a table: a tree of files and an operation lead to another tree and an answer. */

import type { Operation, Reply } from '../../src/protocol/operations.js'
import { Client, type ClientOperation, COHERENT } from './client-cache.js'
import { Numbered, toKey } from './exhaustive-local.js'
import { type FileServer, ROOT } from './server.js'

export interface Executed {
  files: number
  answer: number
  ok: boolean
}

/** What is to be known of a tree. */
export interface Tree {
  server: FileServer
  /** The highest generation of the lock, 0: there is none. */
  top: number
  topIsFree: boolean
  /** The session file behind the highest generation, by its text or its name. */
  topOwner: string
  /** Names below the highest generation, as whole operations: anybody may remove them at any time. */
  removable: number[]
}

export class FileTable {
  readonly trees: Tree[] = []
  readonly operations: Numbered<Operation>
  readonly answers = new Numbered<Reply<unknown>>()
  readonly #byText = new Map<string, number>()
  readonly #executed = new Map<number, Executed>()

  readonly #keepsLower: boolean

  /** `keepsLower`: listings keep what is below the highest generation, because they are going to be cut to pieces. */
  constructor(operations: Numbered<Operation>, keepsLower: boolean) {
    this.operations = operations
    this.#keepsLower = keepsLower
  }

  begin(server: FileServer): number {
    return this.#number(server)
  }

  answerId(reply: Reply<unknown>): number {
    return this.answers.numberOf(toKey(reply), () => reply)
  }

  execute(files: number, operationId: number): Executed {
    const key = files * 4096 + operationId
    let executed = this.#executed.get(key)
    if (executed === undefined) {
      const server = (this.trees[files] as Tree).server.clone()
      const operation = this.operations.values[operationId] as ClientOperation
      const reply = new Client(server, 1, COHERENT).perform(operation, true)
      executed = { files: this.#number(server), answer: this.answerId(plain(reply, this.#keepsLower)), ok: reply.ok }
      this.#executed.set(key, executed)
    }
    return executed
  }

  #number(server: FileServer): number {
    const text = server.canonical()
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const number = this.trees.length
    this.#byText.set(text, number)
    this.trees.push(this.#describe(server))
    return number
  }

  #describe(server: FileServer): Tree {
    const lock = server.inodes.get(server.lookUp(server.lookUp(ROOT, 'd') as number, 'P') ?? 0)
    const tree: Tree = { server, top: 0, topIsFree: false, topOwner: '', removable: [] }
    if (lock === undefined) return tree
    for (const [name, inode] of lock.entries) {
      const match = /^(\d+)(?:\.(.+))?$/.exec(name)
      const generation = Number(match?.[1] ?? 0)
      if (generation === 0 || generation < tree.top) continue
      const isFree = match?.[2] === 'free' || (generation === tree.top && tree.topIsFree)
      tree.topOwner = isFree ? '' : `${name} ${server.inodes.get(inode)?.text}`
      tree.top = generation
      tree.topIsFree = isFree
    }
    for (const name of lock.entries.keys()) {
      const generation = Number(/^(\d+)(\.|$)/.exec(name)?.[1] ?? 0)
      if (generation === 0 || generation >= tree.top) continue
      const operation: Operation = { op: 'unlink', path: `/d/P/${name}` }
      tree.removable.push(this.operations.numberOf(toKey(operation), () => operation))
    }
    return tree
  }
}

/**
 * Without what differs between trees that are alike (inode numbers, the order of names), and of a listing only the highest
 * generation: what is lower is there to be cleaned up, which the janitor does, and to be no hindrance.
 */
function plain(reply: Reply<unknown>, keepsLower: boolean): Reply<unknown> {
  if (!reply.ok || typeof reply.value !== 'object' || reply.value === null) return reply
  if (Array.isArray(reply.value)) {
    const names = reply.value as string[]
    return { ok: true, value: keepsLower ? [...names].sort() : withoutLower(names) }
  }
  return 'ino' in reply.value ? { ok: true, value: { ...reply.value, ino: 0 } } : reply
}

export function withoutLower(names: string[]): string[] {
  const generationOf = (name: string) => Number(/^(\d+)(\.|$)/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY)
  const highest = names.reduce(
    (most, name) => (Number.isFinite(generationOf(name)) ? Math.max(most, generationOf(name)) : most),
    0,
  )
  // Traces of waiters make no difference either, as long as they are few.
  return names.filter((name) => generationOf(name) >= highest && !name.startsWith('.look-')).sort()
}
