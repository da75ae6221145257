/**
 * The claim by symbolic link, for file systems that refuse hard links: the entry points to the session file, relatively,
 * because nodes may mount the share at different places.
 */

import { heldName } from './names.js'
import { ask } from './operations.js'
import { isSessionFileInPlace } from './session.js'
import type { Claim } from './site.js'

export const symlinkClaim: Claim = {
  name: 'symlink',
  kind: 'links',
  countsLinks: false,
  movesEntry: false,
  isConfirmedByListing: true,
  entry: heldName,
  place: (site, session, { generation }) => ask.symlink(`../${session.name}`, `${site.path}/${heldName(generation + 1n)}`),
  // A symlink can be made to nothing: where the share was unmounted, our session file is not there.
  verify: isSessionFileInPlace,
}
