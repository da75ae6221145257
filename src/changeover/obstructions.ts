/** What lies in a lock directory and keeps it from making way: for a moment it is waited for, after that it is named. */

import { readClock } from '../drivers/clock.js'
import { ForeignLockError } from '../errors.js'
import { printable } from '../log/printable.js'
import { isSillyRenamed } from '../protocol/names.js'

/**
 * A process that reads an entry while it is removed leaves a `.nfs…` file for as long as that takes: milliseconds. This
 * is far longer.
 */
const MOMENT_MS_MAX = 5000
const NAMES_MAX = 3
const PATHS_MAX = 1000

export class Obstructions {
  /** Since when `.nfs…` files are in the way, by lock path. */
  readonly #sinceMs = new Map<string, number>()

  /** @returns what is in the way, where it may go away by itself. @throws ForeignLockError where it does not */
  add(path: string, names: readonly string[]): string {
    const { ownMs } = readClock()
    const sinceMs = this.#sinceMs.get(path) ?? ownMs
    if (!names.every(isSillyRenamed) || ownMs - sinceMs > MOMENT_MS_MAX) {
      this.#sinceMs.delete(path)
      throw obstructed(path, names)
    }
    if (this.#sinceMs.size >= PATHS_MAX) this.#sinceMs.clear()
    this.#sinceMs.set(path, sinceMs)
    return `no process, but ${inWords(names)} is in the way of its change to another lock type`
  }

  forget(path: string): void {
    this.#sinceMs.delete(path)
  }
}

function obstructed(path: string, names: readonly string[]): ForeignLockError {
  const what = `it is a free lock of another lock type, and ${inWords(names)} in its directory keeps it from making way`
  return new ForeignLockError(path, what, adviceFor(names))
}

/** A few names, for a message. */
export function inWords(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_MAX).map((name) => printable(JSON.stringify(name)))
  if (names.length > NAMES_MAX) shown.push(`${names.length - NAMES_MAX} more`)
  return shown.length === 1 ? (shown[0] as string) : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}

export const adviceFor = (names: readonly string[]): string =>
  names.every(isSillyRenamed)
    ? 'An NFS client keeps such a file while a process has it open. If none has (lsof on each node), remove it on the server.'
    : 'Move it out of the lock directory, if it is yours; nothing in there is touched that is not ours.'
