/** Other versions of Node, from the npm registry, in a cache of this user: 200 MB each. */

import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mountlock-versions')

const nodeFolder = (major: string) => join(CACHE, 'node_modules', `node${major}`)
export const nodeOf = (major: string) => join(nodeFolder(major), 'bin/node')

/** What is in the cache stays. @param packages further ones, as npm knows them */
export async function installNodes(majors: readonly string[], packages: readonly string[] = []): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const nodes = majors.map((major) => `node${major}@npm:node-linux-${process.arch}@${major}`)
  const quietly = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts']
  await run('npm', ['install', ...quietly, '--prefix', CACHE, ...nodes, ...packages])
}

/** As `npm rebuild fs-ext` does it, with the headers of that Node. @param addon a folder with the package */
export async function buildAddon(addon: string, major: string): Promise<void> {
  const npm = (await run('npm', ['root', '-g'])).stdout.trim()
  await rm(join(addon, 'build'), { recursive: true, force: true })
  const env = { ...process.env, npm_config_nodedir: nodeFolder(major) }
  const gyp = join(npm, 'npm/node_modules/node-gyp/bin/node-gyp.js')
  await run(nodeOf(major), [gyp, 'rebuild'], { cwd: addon, maxBuffer: 1e8, env })
}
