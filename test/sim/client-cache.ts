/**
 * One node's view of the server: an NFS-like client that resolves paths through caches of names, listings, attributes
 * and data. A cached answer is only ever given where a real client was measured to give one; within that, chance
 * decides. Own successful changes of a directory make the next look at it fresh; failed ones do not.
 */

import type { FileOperation, FileStatus, Reply, Stamp } from '../../src/protocol/operations.js'
import { DONE, type FileServer, failure, type Inode, ROOT } from './server.js'

export interface CacheHabits {
  /** How often a cached answer is given where one may be given; 0: never. */
  staleRate: number
  /** How long attributes, names and listings are believed without asking. */
  attributeCacheMs: number
  /** Two changes within one tick of the server's clock look like one: what was cached in between is believed for good. */
  isVersion3: boolean
  /** The `nocto` mount option: even `open` believes the attribute cache. */
  nocto: boolean
}

export const COHERENT: CacheHabits = { staleRate: 0, attributeCacheMs: 0, isVersion3: false, nocto: false }

interface CachedName {
  inode: number | null
  atMs: number
  directoryModifiedMs: number
}
interface CachedListing {
  names: string[]
  atMs: number
  directoryModifiedMs: number
}
interface CachedData {
  text: string
  modifiedMs: number
  atMs: number
}

export type ClientOperation =
  | FileOperation
  | { readonly op: 'utimes'; readonly path: string; readonly modifiedMs: number }
  /** Opens what the path leads to, through a link too. */
  | { readonly op: 'open'; readonly path: string }
  /** Takes an fcntl lock on the whole of an open file, unless another process has it (`EAGAIN`). */
  | { readonly op: 'setlk'; readonly file: number }

export class Client {
  dev: number
  #server: FileServer
  readonly #share: FileServer
  readonly #habits: CacheHabits
  readonly #chance: (probability: number) => boolean
  readonly #nowMs: () => number
  readonly #tear: () => number | null
  readonly #names = new Map<number, Map<string, CachedName>>()
  readonly #listings = new Map<number, CachedListing>()
  readonly #data = new Map<number, CachedData>()
  readonly #statuses = new Map<number, { status: FileStatus; atMs: number }>()

  constructor(
    server: FileServer,
    dev: number,
    habits: CacheHabits = COHERENT,
    chance: (probability: number) => boolean = () => false,
    nowMs: () => number = () => 0,
    tear: () => number | null = () => null,
  ) {
    this.#server = server
    this.#share = server
    this.dev = dev
    this.#habits = habits
    this.#chance = chance
    this.#nowMs = nowMs
    this.#tear = tear
  }

  /** Unmounted and mounted again: nothing is cached, and the device has another number. */
  remount(dev: number): void {
    this.#mount(this.#share, dev)
  }

  /** Unmounted: what it shows is on the disk below. */
  unmount(below: FileServer, dev: number): void {
    this.#mount(below, dev)
  }

  get isMounted(): boolean {
    return this.#server === this.#share
  }

  /** What it shows just now. */
  get server(): FileServer {
    return this.#server
  }

  #mount(server: FileServer, dev: number): void {
    this.#server = server
    this.dev = dev
    this.#names.clear()
    this.#listings.clear()
    this.#data.clear()
    this.#statuses.clear()
  }

  /** `heard`: the client got the server's answer. What it never heard of cannot refresh its caches. */
  perform(operation: ClientOperation, heard: boolean): Reply<unknown> {
    switch (operation.op) {
      case 'list':
        return this.#list(operation.path)
      case 'read':
        return this.#read(operation.path)
      case 'readlink':
        return this.#readLink(operation.path)
      case 'stat':
        return this.#status(operation.path)
      case 'rewrite':
        return this.#rewrite(operation.path, operation.expect, operation.text)
      case 'utimes': {
        const inode = this.#resolve(operation.path, false)
        return inode === null ? failure('ENOENT') : this.#server.touch(inode, operation.modifiedMs)
      }
      case 'overwrite':
        return this.#overwrite(operation.file, operation.text, operation.timesMs)
      case 'drop':
        this.#server.closed(operation.file)
        return DONE
      case 'open':
        return this.#openThrough(operation.path)
      case 'setlk':
        return this.#server.lock(operation.file)
      default:
        return this.#change(operation, heard)
    }
  }

  /** A file that is open goes on when its last name is removed; what is written to it then is not seen. */
  #overwrite(file: number, text: string, timesMs: number | null): Reply<Stamp> {
    if (!this.#server.inodes.has(file)) return { ok: true, value: { serverMs: this.#server.clockMs(), dev: this.dev, links: 0 } }
    const written = this.#server.write(file, text)
    if (written.ok && timesMs !== null) this.#server.touch(file, timesMs)
    return this.#stamped(written)
  }

  /** The handle of the directory that a path lies in, as the server has it. */
  directoryOf(path: string): number {
    let inode = ROOT
    for (const name of split(path)[0].split('/').slice(1)) inode = this.#server.lookUp(inode, name) ?? 0
    return inode
  }

  #change(operation: ClientOperation, heard: boolean): Reply<unknown> {
    switch (operation.op) {
      case 'link': {
        const file = this.#resolve(operation.from, false)
        if (file === null) return failure('ENOENT')
        return this.#at(operation.to, heard, (directory, name) => strip(this.#server.link(file, directory, name)))
      }
      case 'symlink':
        return this.#at(operation.path, heard, (directory, name) =>
          strip(this.#server.symlink(directory, name, operation.target)),
        )
      case 'mkdir':
        return this.#at(operation.path, heard, (directory, name) =>
          strip(this.#server.makeDirectory(directory, name, operation.mode)),
        )
      case 'create':
        return this.#at(operation.path, heard, (directory, name) =>
          this.#stamped(this.#server.create(directory, name, operation.text, operation.mode)),
        )
      case 'hold':
        return this.#at(operation.path, heard, (directory, name) => {
          const made = this.#server.create(directory, name, operation.text, operation.mode)
          const stamp = this.#stamped(made)
          return made.ok && stamp.ok
            ? { ok: true, value: { ...stamp.value, file: made.value.number, ino: made.value.number } }
            : stamp
        })
      case 'unlink':
        return this.#at(operation.path, heard, (directory, name) => this.#server.unlink(directory, name))
      case 'rmdir':
        return this.#at(operation.path, heard, (directory, name) => this.#server.removeDirectory(directory, name))
      case 'rename': {
        const [toParent, to] = split(operation.to)
        const toDirectory = this.#resolve(toParent, false)
        if (toDirectory === null) return failure('ENOENT')
        const reply = this.#at(operation.from, heard, (directory, name) => this.#server.rename(directory, name, toDirectory, to))
        if (reply.ok && heard) this.#forget(toDirectory)
        return reply
      }
      default:
        throw new TypeError(`Expected a change, got ${operation.op}`)
    }
  }

  #at<T>(path: string, heard: boolean, change: (directory: number, name: string) => Reply<T>): Reply<T> {
    const [parent, name] = split(path)
    const directory = this.#resolve(parent, false)
    if (directory === null) return failure('ENOENT')
    const reply = change(directory, name)
    if (reply.ok && heard) this.#forget(directory)
    return reply
  }

  #forget(directory: number): void {
    this.#names.delete(directory)
    this.#listings.delete(directory)
  }

  #believes(cached: { atMs: number; directoryModifiedMs: number }, directory: number): boolean {
    const { staleRate, attributeCacheMs, isVersion3 } = this.#habits
    if (!this.#chance(staleRate)) return false
    if (this.#nowMs() - cached.atMs < attributeCacheMs) return true
    return isVersion3 && this.#server.inodes.get(directory)?.modifiedMs === cached.directoryModifiedMs
  }

  /** `fresh`: a name that is there is looked up at the server (v4 opens by name); one that is missing may still be believed missing. */
  #resolve(path: string, fresh: boolean): number | null {
    let inode = ROOT
    for (let start = 1; start < path.length;) {
      const slash = path.indexOf('/', start)
      const end = slash === -1 ? path.length : slash
      const found = this.#lookUp(inode, path.slice(start, end), fresh && slash === -1)
      if (found === null) return null
      inode = found
      start = end + 1
    }
    return inode
  }

  #lookUp(directory: number, name: string, fresh: boolean): number | null {
    if (this.#habits.staleRate === 0) return this.#server.lookUp(directory, name)
    let names = this.#names.get(directory)
    if (names === undefined) {
      names = new Map()
      this.#names.set(directory, names)
    }
    const cached = names.get(name)
    if (cached !== undefined && !(fresh && cached.inode !== null) && this.#believes(cached, directory)) {
      // A handle whose file is gone is answered "stale", and then the client does ask.
      if (cached.inode === null || this.#server.inodes.has(cached.inode)) return cached.inode
    }
    const inode = this.#server.lookUp(directory, name)
    const directoryModifiedMs = this.#server.inodes.get(directory)?.modifiedMs ?? 0
    names.set(name, { inode, atMs: this.#nowMs(), directoryModifiedMs })
    return inode
  }

  #list(path: string): Reply<string[]> {
    const directory = this.#resolve(path, false)
    if (directory === null) return failure('ENOENT')
    const cached = this.#listings.get(directory)
    if (cached !== undefined && this.#believes(cached, directory)) return { ok: true, value: cached.names }
    const reply = this.#server.list(directory)
    if (reply.ok && this.#habits.staleRate > 0) {
      const directoryModifiedMs = this.#server.inodes.get(directory)?.modifiedMs ?? 0
      this.#listings.set(directory, { names: reply.value, atMs: this.#nowMs(), directoryModifiedMs })
    }
    return reply
  }

  #open(path: string): Inode | Reply<never> {
    const number = this.#resolve(path, !this.#habits.isVersion3)
    if (number === null) return failure('ENOENT')
    const inode = this.#server.inodes.get(number)
    if (inode === undefined) return failure('ESTALE')
    if (inode.type === 'symlink') return failure('ELOOP')
    return inode.type === 'directory' ? failure('EINVAL') : inode
  }

  #openThrough(path: string): Reply<{ file: number }> {
    const number = this.#resolve(path, true)
    const inode = number === null ? undefined : this.#server.inodes.get(number)
    if (inode?.type === 'directory') return failure('EISDIR')
    if (inode?.type === 'symlink') return this.#openThrough(inode.text)
    return inode === undefined ? failure('ENOENT') : { ok: true, value: { file: inode.number } }
  }

  #read(path: string): Reply<unknown> {
    const inode = this.#open(path)
    if ('ok' in inode) return inode
    this.#server.closed(inode.number)
    const { staleRate, nocto, isVersion3, attributeCacheMs } = this.#habits
    const cached = this.#data.get(inode.number)
    if (cached !== undefined && this.#chance(staleRate)) {
      const isSameTick = isVersion3 && cached.modifiedMs === inode.modifiedMs
      const isBelieved = nocto && this.#nowMs() - cached.atMs < attributeCacheMs
      if (isSameTick || isBelieved)
        return { ok: true, value: { text: cached.text, modifiedMs: cached.modifiedMs, ino: inode.number } }
    }
    // Measured: what was opened and read at the server has fresh attributes from then on.
    this.#statuses.delete(inode.number)
    if (staleRate > 0) this.#data.set(inode.number, { text: inode.text, modifiedMs: inode.modifiedMs, atMs: this.#nowMs() })
    return { ok: true, value: { text: this.#torn(inode), modifiedMs: inode.modifiedMs, ino: inode.number } }
  }

  /** Perhaps read in the middle of the last write: its beginning, and the end of what was there before. */
  #torn({ text, previousText }: Inode): string {
    const share = text === previousText ? null : this.#tear()
    if (share === null) return text
    const cut = Math.floor(share * text.trimEnd().length)
    const torn = text.slice(0, cut) + previousText.slice(cut)
    return torn === previousText ? text : torn
  }

  #readLink(path: string): Reply<string> {
    const number = this.#resolve(path, false)
    if (number === null) return failure('ENOENT')
    const inode = this.#server.inodes.get(number)
    if (inode === undefined) return failure('ESTALE')
    return inode.type === 'symlink' ? { ok: true, value: inode.text } : failure('EINVAL')
  }

  #status(path: string): Reply<FileStatus> {
    const number = this.#resolve(path, false)
    if (number === null) return failure('ENOENT')
    const cached = this.#statuses.get(number)
    if (
      cached !== undefined &&
      this.#nowMs() - cached.atMs < this.#habits.attributeCacheMs &&
      this.#chance(this.#habits.staleRate)
    )
      return { ok: true, value: cached.status }
    const reply = this.#server.status(number, this.dev)
    if (!reply.ok || this.#habits.staleRate === 0) return reply
    // NFS does not tell when a file was made.
    const status = { ...reply.value, bornMs: null }
    this.#statuses.set(number, { status, atMs: this.#nowMs() })
    return { ok: true, value: status }
  }

  #rewrite(path: string, expect: string, text: string): Reply<Stamp> {
    const inode = this.#open(path)
    if ('ok' in inode) return inode
    if (!inode.text.includes(expect)) return failure('EINVAL')
    return this.#stamped(this.#server.write(inode.number, text))
  }

  #stamped(reply: Reply<Inode>): Reply<Stamp> {
    if (!reply.ok) return reply
    return { ok: true, value: { serverMs: reply.value.modifiedMs, dev: this.dev, links: reply.value.links } }
  }
}

const strip = (reply: Reply<Inode>): Reply<void> => (reply.ok ? DONE : reply)

export function split(path: string): [parent: string, name: string] {
  const slash = path.lastIndexOf('/')
  return [path.slice(0, slash), path.slice(slash + 1)]
}
