/** The packed package, as a user that installed it has it: a folder with it in `node_modules`. */

import { execFile } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dir } from 'tmp-promise'
import { afterAll, beforeAll } from 'vitest'
import { temporaryFolder } from './folder.js'

const run = promisify(execFile)
export const ROOT = join(import.meta.dirname, '../../..')

let tarball: string

// Packed once for each test file.
beforeAll(async () => {
  const { path, cleanup } = await dir({ unsafeCleanup: true, prefix: 'mountlock' })
  afterAll(() => cleanup())
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', path], { cwd: ROOT })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  tarball = join(path, filename)
})

/** The path of the tarball. */
export const packed = (): Promise<string> => Promise.resolve(tarball)

export async function installed(): Promise<string> {
  const folder = await temporaryFolder()
  const target = join(folder, 'node_modules/mountlock')
  await mkdir(target, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'])
  for (const dependency of ['signal-exit', '@types'])
    await symlink(join(ROOT, 'node_modules', dependency), join(folder, 'node_modules', dependency))
  return folder
}
