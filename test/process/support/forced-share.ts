/** A mount that has its own idea of owners and modes, as CIFS and many FUSE file systems have. Needs root and bindfs. */

import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './folder.js'
import { mountPoint } from './image.js'
import type { Space } from './space.js'

/** `options`: of bindfs(1). */
export async function forcedShare(...options: string[]): Promise<{ space: Space; path: string }> {
  const { space, path } = await mountPoint()
  const below = join(await temporaryFolder(0o777), 'below')
  await mkdir(below, { mode: 0o777 })
  const [command = '', ...args] = [...space.entrance, 'bindfs', '-f', '-o', 'allow_other', ...options, below, path]
  const server = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  onTestFinished(async () => {
    server.kill()
    await ended
  })
  await space.mounted(path)
  return { space, path }
}
