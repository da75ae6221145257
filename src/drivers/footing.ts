/**
 * Work in a directory where other users could swap what it is done in: every operation goes through a descriptor of the
 * directory that its name lies in, opened once for each piece of work, through that of the directory around it, and never
 * through a symbolic link. So what is removed lies in the directory that was listed, whatever its path leads to by now.
 *
 * 1. A listing looks where the name leads now, and what it sees is what all further work at that name is done in. If this
 *    piece of work was in another directory of that name before, the listing answers that it is gone (`ENOENT`).
 * 2. Nothing is linked, renamed or removed inside a directory that was never seen, nor inside another one than was seen:
 *    `ENOENT` again. Reading, and making files with names of their own, needs no listing before it.
 *
 * No descriptor outlives the piece of work: one that is kept would pin the mount.
 */

import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { assert } from '../assert.js'
import type { FileOperation, FileStatus } from '../protocol/operations.js'
import type { Calls } from './calls.js'
import { systemErrorCode } from './error-code.js'
import { closeQuietly, perform, status } from './file-operations.js'
import { type Ground, type Identity, identityOf, placeOf } from './ground.js'

/** Of Linux; Node does not name it. Such a descriptor needs no right to read the directory, and asks nothing of a server. */
const O_PATH = 0o10000000
const DIRECTORY = O_PATH | constants.O_DIRECTORY
/** A symbolic link is "not a directory". */
const NO_LINK = DIRECTORY | constants.O_NOFOLLOW
/** What hits whatever has that name. Everything else makes names of its own, or does no harm. */
const HITS_BY_NAME = new Set<FileOperation['op']>(['link', 'symlink', 'rename', 'unlink', 'rmdir'])

interface Opened {
  readonly fd: number
  readonly identity: Identity
}

export class Footing {
  readonly #ground: Ground
  readonly #open = new Map<string, Opened>()
  /** Which directories this piece of work is done in, and which were seen there before: by a listing, or in earlier work. */
  readonly #present = new Map<string, Identity>()
  readonly #earlier = new Map<string, Identity>()
  /** Directories whose status was asked for: a listing after that must be of the same one. */
  readonly #looked = new Map<string, Identity>()

  /** `seen`: which directory an earlier piece of work was done in, at that path. */
  constructor(ground: Ground, path?: string, seen?: Identity | null) {
    this.#ground = ground
    if (path !== undefined && seen != null) this.#earlier.set(path, seen)
  }

  /** Which directory the work at this path was done in. */
  seen(path: string): Identity | null {
    return this.#present.get(path) ?? this.#earlier.get(path) ?? null
  }

  /** One operation of the protocol. */
  *perform(operation: FileOperation): Calls<unknown> {
    const { op } = operation
    switch (op) {
      case 'list':
        yield* this.#look(operation.path)
        return yield* perform({ op, path: yield* this.#through(op, operation.path) })
      case 'stat':
        return yield* this.#stat(operation.path)
      case 'link':
      case 'rename': {
        const from = yield* this.#through(op, operation.from)
        const result = yield* perform({ op, from, to: yield* this.#through(op, operation.to) })
        if (op === 'rename') for (const moved of [operation.from, operation.to]) yield* this.#forget(moved)
        return result
      }
      case 'overwrite':
      case 'drop':
        return yield* perform(operation)
      default: {
        const result = yield* perform({ ...operation, path: yield* this.#through(op, operation.path) })
        if (op === 'rmdir') yield* this.#forget(operation.path)
        return result
      }
    }
  }

  /** Closes everything: the piece of work is over. */
  *leave(): Calls<void> {
    for (const { fd } of this.#open.values()) yield* closeQuietly(fd)
    this.#open.clear()
  }

  /** The same path with one name behind a descriptor: a second name could be a symbolic link, and would be followed. */
  *#through(op: FileOperation['op'], path: string): Calls<string> {
    const directory = path === this.#ground.path || op === 'list' ? path : dirname(path)
    const name = directory === path ? '.' : basename(path)
    if (HITS_BY_NAME.has(op) && directory !== this.#ground.path && this.seen(directory) === null) throw isGone(path)
    return behind(yield* this.#directory(directory), name)
  }

  /** A descriptor of the directory that this piece of work is done in, at that path. */
  *#directory(path: string): Calls<number> {
    const open = this.#open.get(path)
    if (open !== undefined) return open.fd
    const opened = yield* this.#enter(path)
    const known = this.seen(path)
    if (known !== null && known !== opened.identity) {
      yield* closeQuietly(opened.fd)
      throw isGone(path)
    }
    this.#open.set(path, opened)
    this.#present.set(path, opened.identity)
    return opened.fd
  }

  /** Opens what is there now. */
  *#enter(path: string): Calls<Opened> {
    const isGround = path === this.#ground.path
    assert(isGround || path !== dirname(path), `a path in ${this.#ground.path}`, path)
    const fd = isGround
      ? yield* this.#enterGround()
      : ((yield ['open', behind(yield* this.#directory(dirname(path)), basename(path)), NO_LINK, 0]) as number)
    try {
      return { fd, identity: identityOf((yield ['fstat', fd, { bigint: true }]) as BigIntStats) }
    } catch (error) {
      yield* closeQuietly(fd)
      throw error
    }
  }

  *#enterGround(): Calls<number> {
    const { from, below } = this.#ground
    let fd = (yield ['open', from, DIRECTORY, 0]) as number
    for (const name of below) {
      const around = fd
      try {
        fd = (yield ['open', behind(around, name), NO_LINK, 0]) as number
      } catch (error) {
        // What is in its place now may go again: nothing of what lies in it is known to be gone.
        throw systemErrorCode(error) === 'ENOTDIR' ? isReplaced(placeOf(this.#ground), error) : error
      } finally {
        yield* closeQuietly(around)
      }
    }
    return fd
  }

  /** Sees what is there now, in the place of what was seen in earlier work. */
  *#look(path: string): Calls<void> {
    if (path === this.#ground.path) return
    const now = yield* this.#enter(path)
    const known = this.#present.get(path) ?? this.#looked.get(path)
    yield* this.#forget(path)
    if (known === undefined || known === now.identity) {
      this.#open.set(path, now)
      this.#present.set(path, now.identity)
      return
    }
    this.#earlier.set(path, known)
    yield* closeQuietly(now.fd)
    throw isGone(path)
  }

  *#stat(path: string): Calls<FileStatus> {
    const stats = (yield ['lstat', yield* this.#through('stat', path), { bigint: true }]) as BigIntStats
    if (stats.isDirectory()) this.#looked.set(path, identityOf(stats))
    return status(stats)
  }

  *#forget(path: string): Calls<void> {
    const open = this.#open.get(path)
    for (const known of [this.#open, this.#present, this.#earlier, this.#looked]) known.delete(path)
    if (open !== undefined) yield* closeQuietly(open.fd)
  }
}

const behind = (fd: number, name: string) => `/proc/self/fd/${fd}/${name}`

function isGone(path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`the directory that was seen before is not there any more: ${path}`), { code: 'ENOENT' })
}

function isReplaced(path: string, cause: unknown): NodeJS.ErrnoException {
  return Object.assign(new Error(`something else than a directory is in the place of ${path}, or of one above it`, { cause }), {
    code: 'EREPLACED',
  })
}

let hasDescriptors: boolean | undefined

/** Can a directory be reached through its descriptor? Not on every platform, and not without /proc. Asked once. */
export function canUseDescriptors(): boolean {
  hasDescriptors ??= tryDescriptors()
  return hasDescriptors
}

function tryDescriptors(): boolean {
  try {
    const fd = openSync('/', DIRECTORY)
    try {
      return identityOf(lstatSync(behind(fd, '.'), { bigint: true })) === identityOf(fstatSync(fd, { bigint: true }))
    } finally {
      closeSync(fd)
    }
  } catch {
    return false
  }
}
