/** The note beside a lock directory that was emptied in order to be removed (`dissolve.ts`): which directory is it about? */

import { dissolvedOfNote } from './names.js'
import { ask, type FileStatus, type Protocol, type Reply } from './operations.js'

/** What the marker in it was called that became the note. `null`: no note is about that directory. */
export function* noteAbout(directory: FileStatus, beside: string): Protocol<Reply<{ note: string; marker: string } | null>> {
  const listed = yield* ask.list(beside)
  if (!listed.ok) return listed
  for (const note of listed.value) {
    const marker = dissolvedOfNote(note, directory.ino)
    if (marker === null) continue
    const noted = yield* ask.stat(`${beside}/${note}`)
    if (!noted.ok) return noted
    if (isAsLeft(directory, noted.value)) return { ok: true, value: { note, marker } }
  }
  return { ok: true, value: null }
}

/**
 * Is it the directory that was emptied when the note was made? Where no birth is told (NFS), another one is known only if its
 * program has set its times, as `proper-lockfile` does while it holds it: what is done in a directory changes both times alike.
 * That it was changed after the note tells nothing. A process that remembers it as its lock goes on looking in it.
 */
const isAsLeft = ({ bornMs, changedMs, modifiedMs }: FileStatus, note: FileStatus) =>
  bornMs === null ? modifiedMs === changedMs : bornMs <= note.changedMs
