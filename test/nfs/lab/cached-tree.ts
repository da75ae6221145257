/**
 * Directories in the cache: Debian packages, unpacked once and finished by a recipe. They go when those of other packages, or of
 * another recipe, have taken their place.
 */

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs'
import { basename, join } from 'node:path'
import { download, unpack } from './packages.js'
import { cacheDirectory, packageDirectory } from './paths.js'
import { requireTools } from './tools.js'

/** Another lab that is about to use its tree has touched it within this time. */
const ABOUT_TO_START_MS = 10 * 60_000

export interface Tree {
  kind: string
  packages: readonly string[]
  /** Whatever the result depends on beside the packages. */
  recipe: readonly string[]
  /** Called with the unpacked packages. */
  finish(root: string): void
}

/** Returns the directory, which is built first if there is none. @throws LabError */
export function cachedTree({ kind, packages, recipe, finish }: Tree): string {
  requireTools('apt-get', 'dpkg-deb', 'tar')
  const cache = cacheDirectory()
  const files = download(packages, packageDirectory())
  const ingredients = [...recipe, ...files.map((file) => basename(file))]
  const key = createHash('sha256').update(ingredients.join('\n')).digest('hex').slice(0, 12)
  const name = `${kind}-${key}`
  const tree = join(cache, name)
  if (!existsSync(tree)) {
    buildWhole(tree, (root) => {
      unpackAll(files, root)
      finish(root)
    })
  }
  utimesSync(tree, new Date(), new Date())
  removeUnused(cache, kind, name)
  return tree
}

/** With a merged `/usr`, as all of Debian has it. */
function unpackAll(files: readonly string[], root: string): void {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true })
    symlinkSync(`usr/${name}`, join(root, name))
  }
  for (const file of files) unpack(file, root)
}

/** Every process sees it complete or not at all. */
function buildWhole(tree: string, build: (directory: string) => void): void {
  const partial = `${tree}.${process.pid}`
  try {
    build(partial)
    renameSync(partial, tree)
  } catch (error) {
    if (!existsSync(tree)) throw error // else another process was faster
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** Some hundred MB each: those of other versions, from which nothing runs, go. */
function removeUnused(cache: string, kind: string, current: string): void {
  const commands = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine)
    .join('\n')
  for (const name of readdirSync(cache)) {
    if (!name.startsWith(`${kind}-`) || name === current) continue
    const tree = join(cache, name)
    const isInUse =
      commands.includes(tree) || Date.now() - (statSync(tree, { throwIfNoEntry: false })?.mtimeMs ?? 0) < ABOUT_TO_START_MS
    if (!isInUse) rmSync(tree, { recursive: true, force: true })
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // it has just ended
  }
}
