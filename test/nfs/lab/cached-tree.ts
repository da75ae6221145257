/** Directories in the cache that are built once from what they are made of, and go when something else has taken their place. */

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from './paths.js'

/** Another lab that is about to use its tree has touched it within this time. */
const ABOUT_TO_START_MS = 10 * 60_000

/**
 * Returns the directory of this kind that is made of these ingredients (versions, recipes, names of packages), and has `build`
 * fill it first if there is none.
 */
export function cachedTree(kind: string, ingredients: readonly string[], build: (directory: string) => void): string {
  const cache = cacheDirectory()
  const key = createHash('sha256').update(ingredients.join('\n')).digest('hex').slice(0, 12)
  const name = `${kind}-${key}`
  const tree = join(cache, name)
  if (!existsSync(tree)) buildWhole(tree, build)
  utimesSync(tree, new Date(), new Date())
  removeUnused(cache, kind, name)
  return tree
}

/** Everybody sees it complete or not at all. */
function buildWhole(tree: string, build: (directory: string) => void): void {
  const partial = `${tree}.${process.pid}`
  try {
    build(partial)
    renameSync(partial, tree)
  } catch (error) {
    if (!existsSync(tree)) throw error // else somebody was faster
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
