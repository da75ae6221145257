/**
 * Bundles what is published. Why bundled: Node loads one file much faster than a hundred small ones, and `import 'mountlock'`
 * is part of every start of a program that uses it. What a command of locktester needs stays a chunk of its own.
 */

import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const OUT = 'dist'
const CHUNKS = join(OUT, 'chunks')

const { metafile } = await build({
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
  metafile: true,
})

// Those of earlier builds go last: what runs meanwhile finds its own.
for (const name of await readdir(CHUNKS)) {
  const path = join(CHUNKS, name)
  if (!(path in metafile.outputs)) await rm(path)
}
