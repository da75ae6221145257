/**
 * How the directory of the waiters' tickets goes away with its lock. That is all that the protocol knows of it: what tickets say
 * decides nothing (`waiting/tickets.ts`), and where a slow process moves out the one of a later lock, its waiters make their
 * tickets again.
 */

import { isAbsent } from './doubt.js'
import { isSillyRenamed, movedWaitRoomName, parseTicketName, WAIT_ROOM } from './names.js'
import { ask, type Protocol } from './operations.js'
import type { LockView } from './settle.js'

/** As many tickets are removed in one go; the patrol comes back for what is left. */
const TICKETS_AT_ONCE_MAX = 256

/**
 * Moves it out beside the lock, under a name that is used once, and discards it. `false`: it is not ours, or may not be
 * moved.
 */
export function* moveOutWaitRoom({ path, directory }: Pick<LockView, 'path' | 'directory'>): Protocol<boolean> {
  const room = `${path}/${WAIT_ROOM}`
  const inside = yield* ask.list(room)
  if (!inside.ok) return inside.code === 'ENOENT'
  // What an NFS client keeps of a ticket that was removed while it was read goes by itself, there as well.
  if (!inside.value.every((name) => parseTicketName(name) !== null || isSillyRenamed(name))) return false
  const moved = `${directory}/${movedWaitRoomName(yield* ask.name())}`
  const out = yield* ask.rename(room, moved)
  if (!out.ok) return isAbsent(out.code)
  yield* emptyWaitRoom(moved)
  return true
}

/** Removes one that was moved out. `true`: it is gone. */
export function* emptyWaitRoom(moved: string): Protocol<boolean> {
  const inside = yield* ask.list(moved)
  if (!inside.ok) return isAbsent(inside.code)
  for (const name of inside.value.slice(0, TICKETS_AT_ONCE_MAX)) {
    if (!(yield* ask.wanted())) return false
    if (parseTicketName(name) === null) continue
    const removed = yield* ask.unlink(`${moved}/${name}`)
    // What is refused for one name is refused for all, and a mount that does not answer is not worth more calls either.
    if (!removed.ok && !isAbsent(removed.code)) return false
  }
  return (yield* ask.rmdir(moved)).ok
}
