/**
 * `npm run test:node -- MAJOR [ARGUMENT of vitest]…`: the tests with another Node, in a copy of the checkout whose addon is built
 * for it. Everything that they start by the name `node` is that Node as well; it lies in the copy, because tests start it as
 * other users. Ends as vitest does.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { buildAddon, installNodes, nodeOf } from './other-node.js'

const ROOT = join(import.meta.dirname, '../..')

async function main([major = '', ...args]: string[]): Promise<number> {
  if (!/^\d+$/.test(major)) throw new Error(`Expected the major version of a Node, such as 24, got "${major}"`)
  const copy = await mkdtemp(join(tmpdir(), `mountlock-node${major}-`))
  try {
    await installNodes([major])
    await chmod(copy, 0o755)
    await cp(ROOT, copy, { recursive: true, verbatimSymlinks: true, filter: (path) => basename(path) !== '.git' })
    await buildAddon(join(copy, 'node_modules/fs-ext'), major)
    const bin = join(copy, '.node')
    await cp(nodeOf(major), join(bin, 'node'))
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
    const vitest = join(copy, 'node_modules/vitest/vitest.mjs')
    const suite = spawn(join(bin, 'node'), [vitest, 'run', ...args], { cwd: copy, stdio: 'inherit', env })
    const [code] = (await once(suite, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

process.exitCode = await main(process.argv.slice(2))
