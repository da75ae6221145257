/**
 * The versions of Node and of TypeScript that are supported. Goal: every lock type, the demo and a bundled program work on each Node,
 * and the oldest and the newest compiler read the types. Method: the packed package, with Nodes and a compiler from the npm registry
 * in a cache of this user. Where CI does not run, only on demand (MOUNTLOCK_NODES=1): they are 200 MB each.
 */

import { execFile } from 'node:child_process'
import { cp, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as esbuild from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'
import { buildAddon, CACHE, installNodes, nodeOf } from '../versions/other-node.js'
import { installed, ROOT } from './support/installed.js'

const run = promisify(execFile)
/** Besides the one that runs the suite. */
const NODES = ['20', '22', '24', '26'].filter((major) => !process.version.startsWith(`v${major}.`))
/** The first one that knows exports whose names are strings, which the drop-in for proper-lockfile has. */
const OLDEST_TYPESCRIPT = '5.6'
const isWanted = process.env.MOUNTLOCK_CI !== undefined || process.env.MOUNTLOCK_NODES !== undefined

/** Each lock type is held against another locker, given back, and had by that one. */
const PROGRAM = `
import { createLocker } from 'mountlock'
const main = async () => {
  const kinds = [
    { lockType: 'linkbased' },
    { lockType: 'linkbased', useSymlinks: true },
    { lockType: 'renamebased' },
    { lockType: 'advisory', advisoryKind: 'flock' },
    { lockType: 'advisory', advisoryKind: 'fcntl' },
  ]
  for (const [index, options] of kinds.entries()) {
    const path = process.argv[2] + '/lock' + index
    const [locker, other] = [createLocker(options), createLocker(options)]
    const lock = await locker.acquire(path)
    if ((await other.tryAcquire(path)) !== null) throw new Error('held twice: ' + JSON.stringify(options))
    await lock.release()
    await other.withLock(path, (held) => held.assertHeld())
    await Promise.all([locker.close(), other.close()])
  }
  console.log('locked on', process.version.split('.')[0])
}
main()
`

describe.skipIf(!isWanted)('with the versions that are supported', () => {
  beforeAll(() => installNodes(NODES, [`typescript-oldest@npm:typescript@${OLDEST_TYPESCRIPT}`]), 300_000)

  test.each(NODES)('Node %s: every lock type, as it is and bundled, and the demo', async (major) => {
    const folder = await installed()
    await addAddon(folder, major)
    await writeFile(join(folder, 'program.mjs'), PROGRAM)
    const bundle = { entryPoints: [join(folder, 'program.mjs')], outfile: join(folder, 'bundle.cjs'), external: ['fs-ext'] }
    await esbuild.build({ ...bundle, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' })
    for (const program of ['program.mjs', 'bundle.cjs']) {
      const { stdout, stderr } = await run(nodeOf(major), [program, await temporaryFolder()], { cwd: folder })
      expect({ stdout, stderr }).toEqual({ stdout: `locked on v${major}\n`, stderr: '' })
    }
    const demo = await run(nodeOf(major), [join(folder, 'node_modules/mountlock/bin/locktester'), 'demo'])
    expect(demo.stdout).toContain('As it should be.')
  })

  async function addAddon(folder: string, major: string): Promise<void> {
    const addon = join(folder, 'node_modules/fs-ext')
    await cp(join(ROOT, 'node_modules/fs-ext'), addon, { recursive: true })
    await symlink(join(ROOT, 'node_modules/nan'), join(folder, 'node_modules/nan'))
    await buildAddon(addon, major)
  }

  test('the oldest TypeScript finds the types also as programs did before there were exports', async () => {
    const folder = await installed()
    const text = `import lockfile from 'mountlock/proper-lockfile'
import { createLocker } from 'mountlock'
export const token: Promise<bigint> = createLocker().withLock('/nowhere', ({ token }) => token)
export const release: Promise<() => Promise<void>> = lockfile.lock('/nowhere', { retries: 3 })
`
    await writeFile(join(folder, 'program.ts'), text)
    const options =
      '--noEmit --strict --module commonjs --esModuleInterop --target es2022 --lib es2023,esnext.disposable --skipLibCheck false'
    const compiler = join(CACHE, 'node_modules/typescript-oldest/bin/tsc')
    const compiled = run(process.execPath, [compiler, ...options.split(' '), 'program.ts'], { cwd: folder })
    expect(await compiled.catch(({ stdout }: { stdout: string }) => ({ stdout }))).toMatchObject({ stdout: '' })
  })

  test.each([
    ['the oldest', join(CACHE, 'node_modules/typescript-oldest/bin/tsc')],
    ['the newest', join(ROOT, 'node_modules/.bin/tsc')],
  ])('%s TypeScript reads the types', async (_, compiler) => {
    const folder = await installed()
    const text = `import { createLocker } from 'mountlock'
import lockfile from 'mountlock/proper-lockfile'
export const token: Promise<bigint> = createLocker().withLock('/nowhere', ({ token }) => token)
export const release: Promise<() => Promise<void>> = lockfile.lock('/nowhere')
`
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await writeFile(join(folder, 'program.ts'), text)
    const options = '--noEmit --strict --module nodenext --target es2022 --lib es2023,esnext.disposable --skipLibCheck false'
    const compiled = run(process.execPath, [compiler, ...options.split(' '), 'program.ts'], { cwd: folder })
    expect(await compiled.catch(({ stdout }: { stdout: string }) => ({ stdout }))).toMatchObject({ stdout: '' })
  })
})
