/**
 * `npm run test:node -- MAJOR [ARGUMENT of vitest]…`: the tests with another Node, in a copy of the checkout whose addon is built
 * for it. Everything that they start by the name `node` is that Node as well. Ends as vitest does.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { binFolderOf, buildAddon, installNodes, nodeOf } from './other-node.js'

const ROOT = join(import.meta.dirname, '../..')

async function main([major = '', ...args]: string[]): Promise<number> {
  if (!/^\d+$/.test(major)) throw new Error(`Expected the major version of a Node, such as 24, got "${major}"`)
  const copy = await mkdtemp(join(tmpdir(), `mountlock-node${major}-`))
  try {
    await installNodes([major])
    await cp(ROOT, copy, { recursive: true, verbatimSymlinks: true, filter: (path) => basename(path) !== '.git' })
    await buildAddon(join(copy, 'node_modules/fs-ext'), major)
    const env = { ...process.env, PATH: `${binFolderOf(major)}${delimiter}${process.env.PATH}` }
    const vitest = join(copy, 'node_modules/vitest/vitest.mjs')
    const suite = spawn(nodeOf(major), [vitest, 'run', ...args], { cwd: copy, stdio: 'inherit', env })
    const [code] = (await once(suite, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

process.exitCode = await main(process.argv.slice(2))
