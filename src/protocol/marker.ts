/**
 * The marker of a lock that is used for weeks. Nothing reads it or writes it, and programs that clean temporary directories
 * remove what was neither read nor written for days, one file at a time: then the lock, in use all the while, is a lock no more.
 * So a process that has the lock writes an old marker once more, as it is. Best effort: it may be another user's.
 */

import { MARKER_TEXT, markerName } from './names.js'
import { ask, type Protocol } from './operations.js'
import type { Site } from './site.js'

/** The shortest time after which such programs remove what they find is a few days (systemd-tmpfiles: 10, in /var/tmp 30). */
const OLD_MS = 24 * 60 * 60 * 1000
/** How often a process that goes on using a lock looks. */
export const MARKER_LOOK_MS = OLD_MS / 2

/** `serverMs`: what time it is for the file server. */
export function* keepMarker({ path, claim }: Pick<Site, 'path' | 'claim'>, serverMs: number): Protocol<void> {
  const marker = `${path}/${markerName(claim.kind)}`
  const status = yield* ask.stat(marker)
  if (!status.ok || serverMs - status.value.modifiedMs < OLD_MS) return
  yield* ask.rewrite(marker, MARKER_TEXT, MARKER_TEXT)
}
