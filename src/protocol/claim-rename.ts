/**
 * The claim by rename: the lock directory holds one entry. (The marker and the directory of the waiters' tickets are none:
 * neither has a name that could be claimed, or that a listing takes for a generation.) A process that renames the entry from
 * its free (or dead) name to a name of its own holds the lock. The source name is used once and never again, so a rename of it
 * succeeds for exactly one caller, cannot hit a successor, and needs no second look. Only where the server resolves names
 * itself: a file system that renames through an open handle would let two callers succeed.
 */

import { ownedName } from './names.js'
import { ask } from './operations.js'
import { isSessionFileInPlace } from './session.js'
import type { Claim } from './site.js'

export const renameClaim: Claim = {
  name: 'rename',
  kind: 'renames',
  countsLinks: false,
  movesEntry: true,
  isConfirmedByListing: false,
  entry: (generation, session) => ownedName(generation, session.name),
  place: (site, session, { generation, entry }) =>
    ask.rename(`${site.path}/${entry}`, `${site.path}/${ownedName(generation + 1n, session.name)}`),
  // Our own last release has a name that exists on our share alone; what a listing shows could be the disk below it.
  *verify(session, { own }) {
    return own || (yield* isSessionFileInPlace(session))
  },
}
