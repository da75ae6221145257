/**
 * Bundles what is published, with readable names and source maps. Why bundled: Node loads one file much faster than a hundred
 * small ones, and `import 'mountlock'` is part of every start of a program that uses it. What only the commands of
 * locktester need stays out of it.
 *
 * - ES modules: the library, and locktester.
 * - The library once more as CommonJS, for loaders that know nothing else: jest, and old bundlers. Node itself loads the ES
 *   modules also with `require`.
 * - The program of the heartbeat thread is a text in the library, so that it goes wherever a bundler puts the library.
 */

import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build } from 'rolldown'
import { writeLicenses } from './licenses.mjs'

const OUT = 'dist'
const CHUNKS = 'chunks'
const WHOLE = 'module.exports'
const { dependencies, optionalDependencies } = JSON.parse(await readFile('package.json', 'utf8'))

/** @type {import('rolldown').InputOptions & { output: import('rolldown').OutputOptions }} */
const common = {
  platform: 'node',
  // Dependencies are installed beside us. What else is imported is put in: yargs then costs 50 ms of CPU less at each start of
  // locktester (130 → 80, where node itself takes 60).
  external: [...Object.keys({ ...dependencies, ...optionalDependencies }), /^node:/],
  resolve: { extensionAlias: { '.js': ['.ts'] } },
  transform: { target: 'node20.19' },
  output: { minify: false },
}

/** Outside of node_modules, yargs asks for the current directory as soon as it is loaded, which fails where that is gone. */
const yargsWithoutDirectory = {
  name: 'yargs-without-directory',
  /** @param {string} code @param {string} id */
  transform(code, id) {
    if (!id.endsWith('/yargs/lib/platform-shims/esm.mjs')) return null
    const asked = 'mainFilename || process.cwd()'
    if (!code.includes(asked)) throw new Error(`yargs has changed: look whether it still needs this (${asked})`)
    return { code: code.replace(asked, "mainFilename || '/'"), map: null }
  },
}

const library = { index: './src/index.ts', 'compat/proper-lockfile': './src/compat/proper-lockfile.ts' }

const heartbeatCode = await bundleHeartbeatThread()
// For the tests that load single modules.
await writeFile('build/mounts/heartbeat-code.js', heartbeatCode)

const commonJs = await bundle(library, 'cjs', 'cjs', () => true)
const inLibrary = new Set(commonJs.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : [])))
const commands = {
  'cli/main': './src/cli/main.ts',
  'cli/keeper': './src/cli/run/keeper.ts',
  'cli/command-thread': './src/cli/run/command-thread.ts',
}
const esModules = await bundle({ ...library, ...commands }, 'esm', 'js', (id) => inLibrary.has(id))

await writeLicenses(esModules, join(OUT, 'third-party-licenses.txt'))

// Those of earlier builds go last: what runs meanwhile finds its own.
const written = new Set([...commonJs, ...esModules].map(({ fileName }) => fileName))
for (const name of await readdir(join(OUT, CHUNKS))) if (!written.has(`${CHUNKS}/${name}`)) await rm(join(OUT, CHUNKS, name))

/**
 * @param {Record<string, string>} input
 * @param {'esm' | 'cjs'} format
 * @param {string} extension
 * @param {(id: string) => boolean} isOfLibrary
 */
async function bundle(input, format, extension, isOfLibrary) {
  const entries = new Set(Object.values(input).map((path) => resolve(path)))
  const { output } = await build({
    ...common,
    input,
    plugins: [
      {
        name: 'heartbeat-code',
        resolveId: (source) => (source.endsWith('/heartbeat-code.js') ? source : null),
        load: (id) => (id.endsWith('/heartbeat-code.js') ? heartbeatCode : null),
      },
      yargsWithoutDirectory,
    ],
    output: {
      ...common.output,
      dir: OUT,
      format,
      exports: 'named',
      sourcemap: true,
      // An export of this name is what `require` gives where Node loads the ES module; CommonJS says it in its own way.
      footer: ({ exports }) => (format === 'cjs' && exports.includes(WHOLE) ? `module.exports = exports['${WHOLE}'];` : ''),
      entryFileNames: `[name].${extension}`,
      // The library is a chunk, and what only the commands need is another one: names need not cross from one to many others.
      codeSplitting: {
        groups: [
          { name: 'library', test: (id) => isOfLibrary(id) && !entries.has(id) },
          // What the other processes of `locktester run` need of the commands.
          { name: 'run', test: (id) => !isOfLibrary(id) && !entries.has(id), minShareCount: 2 },
          { name: 'cli', test: (id) => !entries.has(id) },
        ],
      },
      chunkFileNames: `${CHUNKS}/[name]-[hash].${extension}`,
    },
  })
  return output
}

/** A module that exports the thread's program. As text it is in no module system: it gets Node's own modules by a call that there is in each. */
async function bundleHeartbeatThread() {
  const { output } = await build({
    ...common,
    input: './src/mounts/heartbeat-thread.ts',
    write: false,
    output: { ...common.output, format: 'cjs', codeSplitting: false },
  })
  const program = `((require, exports) => {\n${output[0].code}})(process.getBuiltinModule, {})\n`
  return `export const heartbeatCode = ${JSON.stringify(program)}\n`
}
