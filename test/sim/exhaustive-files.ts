/** The file server as a table: a tree of files and an operation lead to another tree and an answer. */

import type { FileStatus, Operation, Reply } from '../../src/protocol/operations.js'
import { Client, type ClientOperation, COHERENT } from './client-cache.js'
import { Numbered } from './exhaustive-local.js'
import { generationOfPath, type GenerationSet, NO_GENERATIONS, setOf } from './exhaustive-generations.js'
import { NO_NAMES, type NameSet, namesUsedIn } from './exhaustive-program.js'
import { type Permutation, renameText } from './exhaustive-renaming.js'
import { type FileServer, ROOT } from './server.js'

const SESSION_PREFIX = '.mountlock-41c29-'

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
  /** It has a marker and a generation: a process can get the lock. */
  isUsable: boolean
  /** Random names that can be seen. */
  namesUsed: NameSet
  /** The session file behind the highest generation, by its text or its name. */
  topOwner: string
  /** Names below the highest generation: any process may remove them at any time. */
  lower: string[]
  lowerGenerations: GenerationSet
  /** The same trees with other names, by permutation. */
  renamed: number[]
  /** The trees that are left when only these generations are kept below the highest. */
  stripped: Map<GenerationSet, number>
  /** By operation and tick. */
  executed: Map<number, Executed>
  variants: Map<number, number[]>
}

export class FileTable {
  readonly trees: Tree[] = []
  readonly operations: Numbered<Operation>
  readonly answers = new Numbered<Reply<unknown>>()
  readonly #byText = new Map<string, number>()
  readonly #base: number
  readonly #keepsLower: boolean
  /** Directories come and go, and which one it is makes a difference. */
  readonly #hasNumbers: boolean
  readonly #hasTimes: boolean
  /** How far the server's clock goes on with each tick; 0: it stands still. */
  readonly #tickMs: number

  /** `keepsLower`: listings keep what is below the highest generation, because they are going to be cut to pieces. */
  constructor(
    operations: Numbered<Operation>,
    base: number,
    { keepsLower, hasNumbers, hasTimes, tickMs }: { keepsLower: boolean; hasNumbers: boolean; hasTimes: boolean; tickMs: number },
  ) {
    this.operations = operations
    this.#base = base
    this.#keepsLower = keepsLower
    this.#hasNumbers = hasNumbers
    this.#hasTimes = hasTimes
    this.#tickMs = tickMs
  }

  begin(server: FileServer): number {
    return this.#number(server)
  }

  answerId(reply: Reply<unknown>): number {
    return this.answers.numberOf(reply)
  }

  execute(files: number, operationId: number, tick: number): Executed {
    const tree = this.trees[files] as Tree
    const key = operationId * 16 + tick
    let executed = tree.executed.get(key)
    if (executed === undefined) {
      const server = tree.server.clone()
      server.clockMs = () => tick * this.#tickMs
      const operation = this.operations.values[operationId] as ClientOperation
      const reply = new Client(server, 1, COHERENT).perform(operation, true)
      executed = { files: this.#number(server), answer: this.answerId(this.#plain(operation, reply)), ok: reply.ok }
      tree.executed.set(key, executed)
    }
    return executed
  }

  /**
   * The tree itself, and those in which a process has already cleaned up what the operation is about to touch. A clean-up that
   * is not looked at makes no difference, so it need not be told apart when it was.
   */
  variants(files: number, operationId: number): number[] {
    const tree = this.trees[files] as Tree
    let variants = tree.variants.get(operationId)
    if (variants === undefined) {
      variants = [files]
      for (const path of pathsOf(this.operations.values[operationId] as Operation)) {
        if (!tree.lower.includes(path)) continue
        for (const variant of [...variants]) variants.push(this.without(variant, [path]))
      }
      tree.variants.set(operationId, variants)
    }
    return variants
  }

  without(files: number, paths: string[]): number {
    const server = (this.trees[files] as Tree).server.clone()
    const client = new Client(server, 1, COHERENT)
    for (const path of paths) client.perform({ op: 'unlink', path }, true)
    return this.#number(server)
  }

  /** Below the highest generation nothing is kept but these: no process is going to touch the others any more. */
  strip(files: number, touched: GenerationSet): number {
    const tree = this.trees[files] as Tree
    const kept = tree.lowerGenerations & touched
    if (kept === tree.lowerGenerations) return files
    let stripped = tree.stripped.get(kept)
    if (stripped === undefined) {
      stripped = this.without(
        files,
        tree.lower.filter((path) => (setOf(generationOfPath(path), this.#base) & kept) === NO_GENERATIONS),
      )
      tree.stripped.set(kept, stripped)
    }
    return stripped
  }

  rename(files: number, number: number, permutation: Permutation): number {
    const { renamed, server } = this.trees[files] as Tree
    let other = renamed[number]
    if (other === undefined) {
      const copy = server.clone()
      for (const inode of copy.inodes.values()) {
        inode.text = renameText(inode.text, permutation)
        const entries = [...inode.entries]
        inode.entries.clear()
        for (const [name, entry] of entries) inode.entries.set(renameText(name, permutation), entry)
      }
      other = this.#number(copy)
      renamed[number] = other
    }
    return other
  }

  #number(server: FileServer): number {
    const text = server.canonical(this.#hasTimes, this.#hasNumbers)
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const number = this.trees.length
    this.#byText.set(text, number)
    this.trees.push(this.#describe(server, text))
    return number
  }

  #describe(server: FileServer, text: string): Tree {
    const lock = server.inodes.get(server.lookUp(server.lookUp(ROOT, 'd') as number, 'P') ?? 0)
    const tree: Tree = {
      server,
      top: 0,
      topIsFree: false,
      isUsable: false,
      namesUsed: this.#hasNumbers ? namesUsedIn(text) : NO_NAMES,
      topOwner: '',
      lower: [],
      lowerGenerations: NO_GENERATIONS,
      renamed: [],
      stripped: new Map(),
      executed: new Map(),
      variants: new Map(),
    }
    if (lock === undefined) return tree
    const names = [...lock.entries.keys()]
    tree.isUsable = (lock.entries.has('.links') || lock.entries.has('.renames')) && names.some((name) => /^\d/.test(name))
    for (const [name, inode] of lock.entries) {
      const match = /^(\d+)(?:\.(.+))?$/.exec(name)
      const generation = Number(match?.[1] ?? 0)
      if (generation === 0 || generation < tree.top) continue
      const isFree = match?.[2] === 'free' || (generation === tree.top && tree.topIsFree)
      tree.topOwner = isFree ? '' : `${name} ${server.inodes.get(inode)?.text}`
      tree.top = generation
      tree.topIsFree = isFree
    }
    for (const name of names) {
      const generation = generationOfPath(`/d/P/${name}`)
      if (generation === 0 || generation >= tree.top) continue
      tree.lower.push(`/d/P/${name}`)
      tree.lowerGenerations |= setOf(generation, this.#base)
    }
    return tree
  }

  /**
   * Without what differs between trees that are alike (inode numbers, the order of names), and of a listing only the highest
   * generation: what is lower is there to be cleaned up, which any process may do, and to be no hindrance.
   */
  #plain(operation: ClientOperation, reply: Reply<unknown>): Reply<unknown> {
    if (!reply.ok || typeof reply.value !== 'object' || reply.value === null) return reply
    if (Array.isArray(reply.value)) {
      const names = reply.value as string[]
      // Beside the lock no process asks for the sessions of others.
      if (operation.op === 'list' && operation.path === '/d')
        return { ok: true, value: names.filter((name) => !name.startsWith(SESSION_PREFIX)).sort() }
      return { ok: true, value: this.#keepsLower ? [...names].sort() : withoutLower(names) }
    }
    // A session file is known by the id in it: no set has copies.
    if (operation.op === 'read') return { ok: true, value: { ...reply.value, ino: 0 } }
    if (!('ino' in reply.value)) return reply
    const status = reply.value as FileStatus
    return {
      ok: true,
      value: {
        ...status,
        ino: this.#hasNumbers && status.type === 'directory' ? status.ino : 0,
        modifiedMs: 0,
        changedMs: 0,
        bornMs: status.bornMs === null ? null : 0,
      },
    }
  }
}

export function pathsOf(operation: Operation): string[] {
  if ('from' in operation) return [operation.from, operation.to]
  return 'path' in operation ? [operation.path] : []
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
