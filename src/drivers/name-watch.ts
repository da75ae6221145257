/** A file watch on a directory: what the processes of this host do with its names. It sees nothing of other nodes. */

import { watch } from 'node:fs'
import { basename } from 'node:path'

export interface NameWatch {
  close(): void
}

/**
 * `onName`: a name appeared or went; `null`: something happened, perhaps to what is watched itself, which may be another one by
 * now. (It is told by its own name then, and an entry may be called the same.) Returns `null` where there is no watch to be had:
 * polling will do.
 */
export function watchNames(path: string, onName: (name: string | null) => void): NameWatch | null {
  try {
    const own = basename(path)
    const watcher = watch(path, { persistent: false }, (_, name) => onName(name === own ? null : name))
    // A watch that breaks leaves the polling.
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null // no watches left, or none here
  }
}
