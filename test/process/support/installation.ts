/** A copy of the compiled package and of the fixtures, in a place that every user can read: also a second loaded copy. */

import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FIXTURES } from './agent.js'
import { temporaryFolder } from './folder.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

export interface Installation {
  fixtures: string
  /** The package's entry point. */
  entry: string
}

/** `addon`: with `fs-ext`. */
export async function installation({ addon = false } = {}): Promise<Installation> {
  const folder = await temporaryFolder()
  const fixtures = join(folder, 'test/process/fixtures/')
  await mkdir(join(folder, 'node_modules'))
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
  await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  for (const name of ['signal-exit', ...(addon ? ['fs-ext'] : [])]) {
    await cp(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true })
  }
  await cp(FIXTURES, fixtures, { recursive: true })
  return { fixtures, entry: join(folder, 'dist/index.js') }
}
