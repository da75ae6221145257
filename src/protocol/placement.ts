/**
 * Does a lock lie in its directory? The holder of a lock that is a symbolic link or a renamed entry is found in a session file
 * beside the lock. A lock directory that is mounted by itself lies beside one directory here and beside another one there: then
 * a live holder's session file is missing where its judge looks for it, and a missing session has ended.
 */

import { lookName } from './names.js'
import { ask, type Protocol } from './operations.js'
import type { Site } from './site.js'

/** `null`: there is no lock directory yet. */
export function* isMountOfItsOwn({ path, directory }: Pick<Site, 'path' | 'directory'>): Protocol<boolean | null> {
  const listed = yield* ask.list(path)
  if (!listed.ok) return null
  // Nothing has that name, so nothing is moved. The kernel compares the mounts before it looks for it.
  const name = lookName(yield* ask.name())
  const moved = yield* ask.rename(`${path}/${name}`, `${directory}/${name}`)
  return !moved.ok && moved.code === 'EXDEV'
}
