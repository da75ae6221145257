/** Was a process started? Node tells later that it was not, and leaves out its streams for want of descriptors meanwhile. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** To be called at once, before anything is done with its streams. @throws the system's error */
export async function started(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) throw (await once(child, 'error'))[0]
}
