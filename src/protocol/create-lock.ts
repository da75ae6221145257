/**
 * Creates a lock directory in one step: prepared under a name of its own, then renamed into place, marker and first
 * generation inside.
 */

import { provesNothingDone } from './doubt.js'
import { freeName, isNameInDraft, MARKER_TEXT, markerName, newLockName, WAIT_ROOM } from './names.js'
import { ask, type Failure, type Protocol } from './operations.js'
import type { Site } from './site.js'
import { moveOutWaitRoom } from './wait-room.js'

/** The failures that mean "another process has just created it". */
const LOST_RACE = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR'])

/** `moved`: the directory is on another device than before, so the share was unmounted and nothing may be created there. */
export type CreateFailure = 'moved' | Failure

/** Numbered by the server's time in microseconds: tokens go on increasing if the directory was removed and is made again. */
export const firstNumber = (serverMs: number) => BigInt(Math.max(0, Math.floor(serverMs))) * 1000n

/**
 * `null` if the lock directory is there now, whichever process created it, or it is to be tried again; otherwise what
 * went wrong.
 */
export function* createLockDirectory(site: Site): Protocol<CreateFailure | null> {
  const random = yield* ask.name()
  const draft = `${site.directory}/${newLockName(random)}`
  // Whatever fails may be done all the same, so that all is discarded that may be there: nothing else has these names.
  const made = yield* ask.mkdir(draft, site.mode)
  if (!made.ok) return yield* discard(draft, [], yield* unlessTakenAway(site, made))
  const marker = markerName(site.claim.kind)
  const marked = yield* ask.create(`${draft}/${marker}`, MARKER_TEXT, 0o644)
  if (!marked.ok) return yield* discard(draft, [marker], yield* unlessTakenAway(site, marked))
  if (marked.value.dev !== site.dev && !(yield* isOnDevice(draft, site.dev)))
    return yield* discard(draft, [marker], 'moved' as const)
  const first = freeName(firstNumber(marked.value.serverMs))
  const freed = yield* ask.create(`${draft}/${first}`, '', 0o644)
  if (!freed.ok) return yield* discard(draft, [first, marker], yield* unlessTakenAway(site, freed))

  // rename() replaces an empty directory, such as the lock of another library; it must not hit one.
  const present = yield* ask.stat(site.path)
  if (present.ok || present.code !== 'ENOENT') return yield* discard(draft, [first, marker], present.ok ? null : present)
  const renamed = yield* ask.rename(draft, site.path)
  if (renamed.ok) return null
  yield* discardMoved(site.directory, draft)
  // Only where the server has just said that it is there: otherwise this would make an empty directory, which no process can use.
  if (!site.surroundings.coherent && (renamed.code === 'ENOTEMPTY' || renamed.code === 'EEXIST')) yield* dropMissingName(site)
  if (renamed.code === 'ENOENT' || LOST_RACE.has(renamed.code)) return null
  // SFTP has no word for "already exists".
  return (yield* ask.stat(site.path)).ok ? null : renamed
}

/**
 * A file may show another device than its directory (overlayfs, with layers on two file systems): directories tell
 * where one is.
 */
function* isOnDevice(draft: string, dev: number): Protocol<boolean> {
  const status = yield* ask.stat(draft)
  return status.ok && status.value.dev === dev
}

/**
 * A client that has once seen a name missing may go on doing so, whatever it changes in the directory (NFSv3, within one tick
 * of the server's clock). Only a failed mkdir of that very name drops it from the cache. If it does not fail, or was done and
 * answered with an error, the directory that it has made is known by a mode that no other program gives: an empty one of another
 * library is a lock, and stays.
 */
function* dropMissingName({ path, surroundings }: Site): Protocol<void> {
  yield* ask.mkdir(path, MODE_OF_PROBE)
  const there = yield* ask.stat(path)
  if (!there.ok || there.value.type !== 'directory' || there.value.uid !== surroundings.me.uid) return
  if ((there.value.mode & 0o1777) === MODE_OF_PROBE) yield* ask.rmdir(path)
}

/** For its owner alone, and sticky. */
const MODE_OF_PROBE = 0o1700

/**
 * A process that dissolves a lock takes drafts away, lest one with an old number takes its place: then this is to be
 * tried again.
 */
function* unlessTakenAway({ directory }: Site, failure: Failure): Protocol<Failure | null> {
  return failure.code === 'ENOENT' && (yield* ask.stat(directory)).ok ? null : failure
}

/**
 * Removes a lock directory that is not in use, under another name: after a rename whose reply was lost the draft *is* the
 * lock, and its old name may still lead this client there. Only the server's word that it has moved makes it ours to empty.
 */
export function* discardMoved(directory: string, draft: string): Protocol<boolean> {
  const random = yield* ask.name()
  const moved = `${directory}/${newLockName(random)}`
  const renamed = yield* ask.rename(draft, moved)
  if (!renamed.ok && provesNothingDone(renamed.code)) return false // the patrol will find it
  // Where the reply was lost it is there, and where it is the lock by now it is not. No symlink is followed, and
  // nothing is removed that is not of our form.
  const status = yield* ask.stat(moved)
  if (!status.ok || status.value.type !== 'directory') return false
  const inside = yield* ask.list(moved)
  // A waiter may have made it there, while this was the lock.
  if (inside.ok && inside.value.includes(WAIT_ROOM)) yield* moveOutWaitRoom({ path: moved, directory })
  return inside.ok && (yield* empty(moved, inside.value.filter(isNameInDraft)))
}

function* discard<Result>(draft: string, names: string[], result: Result): Protocol<Result> {
  yield* empty(draft, names)
  return result
}

/** What a draft contains, and some. Where others may write to it, there may be any number. */
const NAMES_IN_DRAFT_MAX = 8

function* empty(directory: string, names: string[]): Protocol<boolean> {
  for (const name of names.slice(0, NAMES_IN_DRAFT_MAX)) yield* ask.unlink(`${directory}/${name}`)
  return (yield* ask.rmdir(directory)).ok
}
