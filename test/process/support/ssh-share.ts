/** A share whose server can be made to hang: sshfs in front of a local sftp-server, in a private mount namespace. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './folder.js'
import { mountPoint } from './image.js'
import type { Space } from './space.js'
import { processState } from './time.js'

const SERVER = '/usr/lib/openssh/sftp-server'

export interface SshShare {
  space: Space
  path: string
  /** From now on no operation is answered, until {@link goOn}. They can be killed, as on a hard NFS mount. */
  hang(): Promise<void>
  goOn(): void
  /** The process that answers the kernel: SIGCONT is {@link goOn}. */
  pid: number
}

export async function sshShare(options: string[] = []): Promise<SshShare> {
  const { space, path } = await mountPoint()
  const served = await temporaryFolder()
  const script = join(await temporaryFolder(), 'ssh')
  await writeFile(script, `#!/bin/sh\nexec ${SERVER}\n`)
  await chmod(script, 0o755)
  const choices = [`ssh_command=${script}`, 'allow_other', 'default_permissions', ...options].flatMap((option) => ['-o', option])
  const [command = '', ...args] = [...space.entrance, 'sshfs', '-f', `server:${served}`, path, ...choices]
  const client = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  onTestFinished(async () => {
    const gone = once(client, 'exit')
    // Killed, not asked: what hangs in the mount then fails, and can end.
    client.kill('SIGKILL')
    await gone
  })
  await space.mounted(path)
  const goOn = () => void client.kill('SIGCONT')
  const requestsUnderWay = await requestCounter(space, path)
  return {
    space,
    path,
    async hang() {
      // Before anything else is cleaned up: a process that waits for an answer may not be able to end without it.
      onTestFinished(goOn)
      do {
        goOn()
        // The process that answers the kernel, not the one behind it: only what it has not accepted yet can be killed.
        client.kill('SIGSTOP')
        await processState(client.pid as number, 'T')
      } while ((await requestsUnderWay()) > 0)
    },
    goOn,
    pid: client.pid as number,
  }
}

/** How many requests of a FUSE mount the kernel has under way: see fuse(4) and the kernel's documentation of fusectl. */
async function requestCounter(space: Space, path: string): Promise<() => Promise<number>> {
  await space.run('mount -t fusectl fusectl /sys/fs/fuse/connections')
  const device = (await space.run('mountpoint -d "$1"', path)).trim().replace('0:', '')
  return async () => Number(await space.run('cat "/sys/fs/fuse/connections/$1/waiting"', device))
}
