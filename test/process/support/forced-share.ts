/** Mounts that show directories of other file systems: with owners and modes of their own, or several as one. Needs root, bindfs and mergerfs. */

import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './folder.js'
import { mountPoint } from './image.js'
import type { Space } from './space.js'

/** `options`: of bindfs(1). */
export async function forcedShare(...options: string[]): Promise<{ space: Space; path: string }> {
  return await shown(['bindfs', '-f', '-o', 'allow_other', ...options, await folderBelow()])
}

/** Two directories as one: what is new goes to the one with more space. */
export async function mergedShare(): Promise<{ space: Space; path: string }> {
  const branches = [await folderBelow(), await folderBelow()]
  return await shown(['mergerfs', '-f', '-o', 'allow_other,use_ino,category.create=mfs', branches.join(':')])
}

async function folderBelow(): Promise<string> {
  const below = join(await temporaryFolder(0o777), 'below')
  await mkdir(below, { mode: 0o777 })
  return below
}

/** By a program that serves it until the test ends. */
async function shown(program: readonly string[]): Promise<{ space: Space; path: string }> {
  const { space, path } = await mountPoint()
  const [command = '', ...args] = [...space.entrance, ...program, path]
  const server = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  onTestFinished(async () => {
    server.kill()
    await ended
  })
  await space.mounted(path)
  return { space, path }
}
