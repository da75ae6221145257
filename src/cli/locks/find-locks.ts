/**
 * Finds locks: those that are directories by the marker inside, those that are files by being named, or by the kernel's
 * table when a process of this node holds them. Symbolic links below a named directory are not followed, so that no loop and
 * no other mount is entered through one. Everything is bounded: a dead mount costs a limit, not for ever.
 */

import type { Dirent, Stats } from 'node:fs'
import { lstat, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { isMissing } from '../../drivers/obstacle.js'
import { foreignError } from '../../link/refusals.js'
import { printable } from '../../log/printable.js'
import { LOCK_TYPE_OF_KIND } from '../../protocol/claims.js'
import { lockKindIn, parseSessionName } from '../../protocol/names.js'
import type { LockType } from '../../types.js'
import { parseTheirName } from '../../workbench/format.js'
import {
  hiddenDirectory,
  isStateDirectory,
  mayLeadToPlaces,
  type WorkbenchPath,
  placeIn,
  placeOf,
  STATE_DEPTH,
} from '../../workbench/places.js'
import { bounded, codeOf, listSome } from '../shared/bounded.js'
import { messageOf } from '../shared/output.js'
import { whyMissing } from '../shared/state-directory.js'
import { UsageError } from '../shared/usage.js'
import { reasonOf } from './reason.js'
import type { LockedFiles } from './kernel-tables.js'
import { isWithoutMarker } from './without-marker.js'

export interface FoundLock {
  path: string
  lockType: LockType
}

/** What is there but could not be looked at. */
export interface Unread {
  path: string
  message: string
}

/** Snapshots show locks as they were once. */
const PASSED_OVER = new Set(['.snapshot', '.snapshots', '.zfs'])
const DIRECTORIES_MAX = 20_000
/** Of a directory with more files, the rest is not compared with the kernel's table. */
const FILES_MAX = 2000
/** Of a directory with more names, the rest is not looked at: others may put any number there. */
const NAMES_MAX = 20_000

export class LockFinder {
  readonly locks = new Map<string, FoundLock>()
  /** Paths that Workbench locks itself. Nothing may lie there at the moment. */
  readonly workbench = new Map<string, WorkbenchPath>()
  /** Symbolic links to directories in which there may be more of those. */
  readonly unfollowed: string[] = []
  readonly unread: Unread[] = []
  /** Locks that no process can take any more, with the way out. */
  readonly withoutMarker: Unread[] = []
  /** Session files, by the directory that they keep locks alive in. */
  readonly sessions = new Map<string, string[]>()
  readonly #depthMax: number
  readonly #locked: LockedFiles | null
  #directories = 0

  /** @param locked of advisory locks; without them only those that are named are found */
  constructor(depthMax: number, locked: LockedFiles | null = null) {
    this.#depthMax = depthMax
    this.#locked = locked
  }

  /** @throws UsageError if there is no such path */
  async find(named: string): Promise<void> {
    const path = resolve(named)
    if (await this.#isWorkbench(path)) return
    let there: Stats
    let real: string
    try {
      there = await bounded(path, stat(path))
      real = await bounded(path, realpath(path))
    } catch (error) {
      if (isMissing(error)) {
        const next = (await whyMissing(path)) ?? 'Check the name, or mount the share.'
        throw new UsageError(printable(`There is no such file or directory: ${named}. ${next}`))
      }
      this.unread.push({ path, message: reasonOf(error) })
      return
    }
    if (!there.isDirectory() && !there.isFile()) {
      this.unread.push({ path: real, message: messageOf(foreignError(real, 'special')) })
      return
    }
    if (!there.isDirectory()) {
      this.locks.set(real, { path: real, lockType: 'advisory' })
      return
    }
    await this.#look(real, 0)
    // The lock itself was named: a process that uses it has a session beside it.
    if (this.locks.has(real)) this.sessions.set(dirname(real), sessionsAmong(await this.#list(dirname(real))))
  }

  /** Something else than a directory at a path of theirs, which may be a symbolic link that leads nowhere. */
  async #isWorkbench(path: string): Promise<boolean> {
    const real = await bounded(path, realpath(dirname(path))).catch(() => dirname(path))
    const place = placeOf(join(real, basename(path))) ?? placeOf(path)
    const there = place === null ? null : await bounded(path, lstat(path)).catch(() => null)
    if (place === null || there === null || there.isDirectory()) return false
    this.workbench.set(place.path, place)
    const hidden = hiddenDirectory(place.path) // with our own lock for that path, where there is one
    if (
      await bounded(hidden, lstat(hidden)).then(
        (status) => status.isDirectory(),
        () => false,
      )
    )
      await this.#look(hidden, 0)
    return true
  }

  async #look(directory: string, depth: number): Promise<void> {
    if (this.#directories++ === DIRECTORIES_MAX) {
      this.unread.push({ path: directory, message: `More than ${DIRECTORIES_MAX} directories: the rest was not looked into` })
    }
    if (this.#directories > DIRECTORIES_MAX) return
    const entries = await this.#list(directory)
    const unnameable = entries.filter(({ name }) => name.includes('\uFFFD')).length
    if (unnameable > 0)
      this.unread.push({ path: directory, message: `${unnameable} names in it are not UTF-8, and cannot be looked at` })
    const names = entries.map(({ name }) => name)
    const kind = lockKindIn(names)
    if (kind !== null) {
      this.locks.set(directory, { path: directory, lockType: LOCK_TYPE_OF_KIND[kind] })
      return
    }
    if (await isWithoutMarker(directory, names)) {
      this.withoutMarker.push({ path: directory, message: messageOf(foreignError(directory, 'without-marker')) })
      return
    }
    const sessions = sessionsAmong(entries)
    if (sessions.length > 0) this.sessions.set(directory, sessions)
    await this.#findWorkbench(directory, entries)
    await this.#findLockedFiles(directory, entries)
    // A lock is a directory too, so one more level than what may contain locks.
    if (depth > this.#depthMax) return
    const inside = entries.filter((entry) => entry.isDirectory() && !PASSED_OVER.has(entry.name))
    for (const { name } of inside) {
      // What Workbench keeps is found however deep its own directory lies.
      const least = isStateDirectory(name) ? this.#depthMax + 1 - STATE_DEPTH : depth + 1
      await this.#look(join(directory, name), Math.min(depth + 1, least))
    }
  }

  async #findWorkbench(directory: string, entries: readonly Dirent[]): Promise<void> {
    const places = entries.map((entry) => (entry.isDirectory() ? null : placeOf(join(directory, entry.name))))
    for (const place of [placeIn(directory), ...places]) if (place !== null) this.workbench.set(place.path, place)
    const links = entries.filter((entry) => entry.isSymbolicLink() && mayLeadToPlaces(directory, entry.name))
    for (const { name } of links) {
      const path = join(directory, name)
      const leadsTo = await bounded(path, stat(path)).catch(() => null)
      if (leadsTo?.isDirectory() === true) this.unfollowed.push(path)
    }
  }

  /** Free ones cannot be told from other files. */
  async #findLockedFiles(directory: string, entries: readonly Dirent[]): Promise<void> {
    const files = entries.filter((entry) => entry.isFile() && !this.#isPartOfWorkbench(directory, entry.name))
    if (this.#locked === null || files.length === 0) return
    const { dev } = await bounded(directory, lstat(directory, { bigint: true })).catch(() => ({ dev: -1n }))
    if (!this.#locked.hasSomeOn(dev)) return
    for (const { name } of files.slice(0, FILES_MAX)) {
      const path = join(directory, name)
      const file = await bounded(path, lstat(path, { bigint: true })).catch(() => null)
      if (file !== null && this.#locked.has(file)) this.locks.set(path, { path, lockType: 'advisory' })
    }
  }

  /** The file at the public path, or its other name. */
  #isPartOfWorkbench(directory: string, name: string): boolean {
    return this.workbench.has(join(directory, name)) || parseTheirName(name) !== null
  }

  async #list(directory: string): Promise<Dirent[]> {
    try {
      const { entries, isComplete } = await bounded(directory, listSome(directory, NAMES_MAX))
      if (!isComplete) this.unread.push({ path: directory, message: `More than ${NAMES_MAX} names: the rest was not looked at` })
      return entries
    } catch (error) {
      // Gone meanwhile is nothing to complain of.
      if (codeOf(error) !== 'ENOENT') this.unread.push({ path: directory, message: reasonOf(error) })
      return []
    }
  }
}

function sessionsAmong(entries: readonly Dirent[]): string[] {
  return entries.map(({ name }) => name).filter((name) => parseSessionName(name) !== null)
}
