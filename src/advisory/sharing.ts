/** Which users may use a lock file: those that may use the directory around it. */

import { Lane } from '../drivers/lane.js'
import { shareAsDirectory } from '../drivers/permissions.js'
import { runCalls, runCallsBlocking } from '../drivers/run.js'
import { make, type Program } from './calls.js'

/**
 * A user that may change the directory may lock in it, so `w` becomes `rw`, and `r` stays: 0755 → 0644, 0770 → 0660,
 * 01777 → 0666.
 */
export function lockFileMode(directoryMode: number): number {
  const write = directoryMode & 0o222
  return 0o600 | (directoryMode & 0o444) | write | (write << 1)
}

/**
 * Against the umask. A file system that refuses is no obstacle to locking, unless more users could use the file than the
 * directory: where it is fewer, the others get an `EACCES` that says what it is. @throws where the file is too wide
 */
export function* share(fd: number, mode: number, path: string): Program<void> {
  const sharing = () => shareAsDirectory(fd, mode, path, lockFilePermissions)
  yield* make({
    now: () => runCallsBlocking(sharing()),
    start: (done) =>
      void runCalls(sharing(), new Lane()).then(
        () => done(null),
        (error) => done(error as Error),
      ),
  })
}

/** As {@link lockFileMode}, for an entry of an access control list. */
function lockFilePermissions(directory: string): string {
  return directory.includes('w') ? 'rw-' : directory.includes('r') ? 'r--' : '---'
}
