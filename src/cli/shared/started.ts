/** Whether a process could be started. Node tells of a failure later, and leaves its streams out meanwhile for want of descriptors. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** To be called at once, before anything is done with its streams. @throws the system's error */
export async function started(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) throw (await once(child, 'error'))[0]
}
