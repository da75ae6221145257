/** The claim by hard link: the entry is another name of the session file. */

import { heldName } from './names.js'
import { ask } from './operations.js'
import type { Claim } from './site.js'

export const hardLinkClaim: Claim = {
  name: 'hard link',
  kind: 'links',
  countsLinks: true,
  movesEntry: false,
  isConfirmedByListing: true,
  entry: heldName,
  place: (site, session, { generation }) => ask.link(session.path, `${site.path}/${heldName(generation + 1n)}`),
  // Nothing to verify: a hard link is made neither across devices nor to a session file that a mount hides.
}
