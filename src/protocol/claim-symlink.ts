/** The claim by symbolic link, for file systems that refuse hard links: the entry points to the session file, relatively, because nodes may mount the share at different places. */

import { heldName } from './names.js'
import { ask } from './operations.js'
import type { Claim } from './site.js'

export const symlinkClaim: Claim = {
  name: 'symlink',
  place: (site, session, generation) => ask.symlink(`../${session.name}`, `${site.path}/${heldName(generation)}`),
  // A symlink can be made to nothing: where the share was unmounted, our session file is not there.
  *verify(session) {
    const found = yield* ask.stat(session.path)
    return found.ok && found.value.dev === session.dev
  },
}
