/**
 * Bundles what is published. Why bundled: Node loads one file much faster than a hundred small ones, and `import 'mountlock'`
 * is part of every start of a program that uses it. What only the commands of locktester need is a chunk of its own.
 */

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { build } from 'esbuild'
import { minify } from 'terser'

const OUT = 'dist'
const CHUNKS = join(OUT, 'chunks')

const { outputFiles } = await build({
  entryPoints: ['src/index.ts', 'src/compat/proper-lockfile.ts', 'src/cli/main.ts', 'src/drivers/heartbeat-thread.ts'],
  outdir: OUT,
  outbase: 'src',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  minify: true,
  write: false,
})

// The bundler looks at one expression at a time; what is left, a second pass makes 3 kB smaller in the package.
const programs = outputFiles.map(async ({ path, text }) => {
  const { code = '' } = await minify(text, { module: true, ecma: 2020, compress: { passes: 2 } })
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, code)
})
await Promise.all(programs)

// Those of earlier builds go last: what runs meanwhile finds its own.
const written = new Set(outputFiles.map(({ path }) => relative(CHUNKS, path)))
for (const name of await readdir(CHUNKS)) if (!written.has(name)) await rm(join(CHUNKS, name))
