/**
 * The file server: directories, files and symbolic links in memory, with link counts and one clock. Every method is one
 * atomic operation on *handles* (inode numbers), as NFS has it: which handle a path means is the clients' business, and
 * their caches can be wrong.
 */

import type { FileStatus, Reply } from '../../src/protocol/operations.js'

export interface Inode {
  readonly number: number
  readonly type: 'file' | 'directory' | 'symlink'
  text: string
  /** What it held before the last write: a read may see half of each. */
  previousText: string
  links: number
  modifiedMs: number
  changedMs: number
  readonly bornMs: number
  readonly uid: number
  mode: number
  readonly entries: Map<string, number>
}

export const ROOT = 1
/** The user that everything belongs to, unless there are several. */
export const UID = 1000

const failures = new Map<string, Reply<never>>()
export function failure(code: string): Reply<never> {
  let reply = failures.get(code)
  if (reply === undefined) {
    reply = { ok: false, code }
    failures.set(code, reply)
  }
  return reply
}
export const DONE: Reply<void> = { ok: true, value: undefined }

export class FileServer {
  readonly inodes = new Map<number, Inode>()
  /** The server's clock, already in the resolution of its time stamps. */
  clockMs: () => number = () => 0
  /** Writing does not change time stamps. */
  hasLazyStamps = false
  /** For which user an operation is executed: all may create, rename and remove in a directory; a file is written by its owner. */
  actingUid = UID
  /** Which process an operation is executed for. */
  actingProcess: unknown = null
  /** Which process has an fcntl lock on each file. */
  readonly #locks = new Map<number, unknown>()
  /** Called after every change of a directory. */
  onChange: ((directory: number, name: string) => void) | null = null
  /** Called after every write to a file that was there. */
  onWrite: ((file: Inode) => void) | null = null
  /** Directories have numbers of their own: so many fewer of them that states of the exhaustive search can contain them. */
  #nextDirectory = ROOT
  #nextFile = 1_000_000

  constructor() {
    this.#make('directory', '', 0o755)
  }

  #make(type: Inode['type'], text: string, mode: number): Inode {
    const number = type === 'directory' ? this.#nextDirectory++ : this.#nextFile++
    const links = type === 'directory' ? 2 : 0
    const uid = this.actingUid
    const bornMs = this.clockMs()
    const times = { modifiedMs: bornMs, changedMs: bornMs, bornMs }
    const inode = { number, type, text, previousText: text, links, ...times, uid, mode, entries: new Map() }
    this.inodes.set(number, inode)
    return inode
  }

  #directory(number: number): Inode | null {
    const inode = this.inodes.get(number)
    return inode?.type === 'directory' ? inode : null
  }

  #changed(directory: Inode, name: string): void {
    directory.modifiedMs = this.clockMs()
    directory.changedMs = directory.modifiedMs
    this.onChange?.(directory.number, name)
  }

  lookUp(directory: number, name: string): number | null {
    return this.inodes.get(directory)?.entries.get(name) ?? null
  }

  list(directory: number): Reply<string[]> {
    const inode = this.inodes.get(directory)
    if (inode === undefined) return failure('ESTALE')
    return inode.type === 'directory' ? { ok: true, value: [...inode.entries.keys()] } : failure('ENOTDIR')
  }

  create(directory: number, name: string, text: string, mode: number): Reply<Inode> {
    return this.#enter(directory, name, () => this.#make('file', text, mode))
  }

  symlink(directory: number, name: string, target: string): Reply<Inode> {
    return this.#enter(directory, name, () => this.#make('symlink', target, 0o777))
  }

  makeDirectory(directory: number, name: string, mode: number): Reply<Inode> {
    return this.#enter(directory, name, () => this.#make('directory', '', mode))
  }

  link(file: number, directory: number, name: string): Reply<Inode> {
    const inode = this.inodes.get(file)
    if (inode === undefined) return failure('ESTALE')
    if (inode.type === 'directory') return failure('EPERM')
    return this.#enter(directory, name, () => inode)
  }

  #enter(directory: number, name: string, inode: () => Inode): Reply<Inode> {
    const parent = this.#directory(directory)
    if (parent === null) return failure('ESTALE')
    if (parent.entries.has(name)) return failure('EEXIST')
    const entered = inode()
    if (entered.type !== 'directory') entered.links++
    entered.changedMs = this.clockMs()
    parent.entries.set(name, entered.number)
    this.#changed(parent, name)
    return { ok: true, value: entered }
  }

  unlink(directory: number, name: string): Reply<void> {
    const parent = this.#directory(directory)
    if (parent === null) return failure('ESTALE')
    const inode = this.inodes.get(parent.entries.get(name) ?? 0)
    if (inode === undefined) return failure('ENOENT')
    if (inode.type === 'directory') return failure('EISDIR')
    parent.entries.delete(name)
    this.#drop(inode)
    this.#changed(parent, name)
    return DONE
  }

  removeDirectory(directory: number, name: string): Reply<void> {
    const parent = this.#directory(directory)
    if (parent === null) return failure('ESTALE')
    const inode = this.inodes.get(parent.entries.get(name) ?? 0)
    if (inode === undefined) return failure('ENOENT')
    if (inode.type !== 'directory') return failure('ENOTDIR')
    if (inode.entries.size > 0) return failure('ENOTEMPTY')
    parent.entries.delete(name)
    this.inodes.delete(inode.number)
    this.#changed(parent, name)
    return DONE
  }

  rename(fromDirectory: number, from: string, toDirectory: number, to: string): Reply<void> {
    const source = this.#directory(fromDirectory)
    const target = this.#directory(toDirectory)
    if (source === null || target === null) return failure('ESTALE')
    const moved = this.inodes.get(source.entries.get(from) ?? 0)
    if (moved === undefined) return failure('ENOENT')
    const replaced = this.inodes.get(target.entries.get(to) ?? 0)
    if (replaced !== undefined) {
      if (replaced === moved) return DONE // two names of one file: nothing happens, as POSIX has it
      if (replaced.type === 'directory') {
        if (moved.type !== 'directory') return failure('EISDIR')
        if (replaced.entries.size > 0) return failure('ENOTEMPTY')
        this.inodes.delete(replaced.number)
      } else {
        if (moved.type === 'directory') return failure('ENOTDIR')
        this.#drop(replaced)
      }
    }
    source.entries.delete(from)
    target.entries.set(to, moved.number)
    moved.changedMs = this.clockMs()
    this.#changed(target, to)
    this.#changed(source, from)
    return DONE
  }

  #drop(inode: Inode): void {
    inode.links--
    inode.changedMs = this.clockMs()
    if (inode.links === 0) this.inodes.delete(inode.number)
  }

  write(file: number, text: string): Reply<Inode> {
    const inode = this.inodes.get(file)
    if (inode === undefined) return failure('ESTALE')
    if (inode.uid !== this.actingUid) return failure('EACCES')
    inode.previousText = inode.text
    inode.text = text
    if (!this.hasLazyStamps) inode.modifiedMs = inode.changedMs = this.clockMs()
    this.onWrite?.(inode)
    return { ok: true, value: inode }
  }

  /** Sets the modification time to whatever the client says. */
  touch(file: number, modifiedMs: number): Reply<void> {
    const inode = this.inodes.get(file)
    if (inode === undefined) return failure('ESTALE')
    inode.modifiedMs = modifiedMs
    inode.changedMs = this.clockMs()
    return DONE
  }

  lock(file: number): Reply<void> {
    const holder = this.#locks.get(file)
    if (holder !== undefined && holder !== this.actingProcess) return failure('EAGAIN')
    this.#locks.set(file, this.actingProcess)
    return DONE
  }

  holderOf(file: number): unknown {
    return this.#locks.get(file)
  }

  /** As POSIX has it: a process that closes any descriptor of a file drops its lock. */
  closed(file: number): void {
    if (this.#locks.get(file) === this.actingProcess) this.#locks.delete(file)
  }

  ended(process: unknown): void {
    for (const [file, holder] of this.#locks) if (holder === process) this.#locks.delete(file)
  }

  status(file: number, dev: number): Reply<FileStatus> {
    const inode = this.inodes.get(file)
    if (inode === undefined) return failure('ESTALE')
    return {
      ok: true,
      value: {
        dev,
        ino: inode.number,
        uid: inode.uid,
        type: inode.type,
        mode: inode.mode,
        links: inode.links,
        modifiedMs: inode.modifiedMs,
        changedMs: inode.changedMs,
        bornMs: inode.bornMs,
      },
    }
  }

  /** A copy that goes its own way. */
  clone(): FileServer {
    const copy = new FileServer()
    copy.clockMs = this.clockMs
    copy.#nextDirectory = this.#nextDirectory
    copy.#nextFile = this.#nextFile
    copy.inodes.clear()
    for (const [number, inode] of this.inodes) copy.inodes.set(number, { ...inode, entries: new Map(inode.entries) })
    return copy
  }

  /** The whole tree as text, without time stamps and inode numbers (of directories), unless asked for: two servers with the same text answer alike. */
  canonical(hasTimes = false, hasNumbers = false): string {
    const seen = new Map<number, number>()
    const describe = (number: number): string => {
      const known = seen.get(number)
      if (known !== undefined) return `#${known}`
      seen.set(number, seen.size)
      const inode = this.inodes.get(number) as Inode
      if (inode.type !== 'directory') return `${inode.type[0]}${hasTimes ? inode.modifiedMs : ''}${inode.text.trimEnd()}`
      return `{${hasNumbers ? number : ''}${[...inode.entries.keys()]
        .sort()
        .map((name) => `${name}=${describe(inode.entries.get(name) as number)}`)
        .join(';')}}`
    }
    return describe(ROOT)
  }
}
