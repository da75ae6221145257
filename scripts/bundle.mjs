/**
 * Bundles what is published. Why bundled: Node loads one file much faster than a hundred small ones, and `import 'mountlock'`
 * is part of every start of a program that uses it. What only the commands of locktester need stays out of it.
 */

import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'rolldown'

const OUT = 'dist'
const CHUNKS = 'chunks'

const { output } = await build({
  input: {
    index: './src/index.ts',
    'compat/proper-lockfile': './src/compat/proper-lockfile.ts',
    'cli/main': './src/cli/main.ts',
    'drivers/heartbeat-thread': './src/mounts/heartbeat-thread.ts',
  },
  platform: 'node',
  // Dependencies are installed beside us.
  external: /^[^./]/,
  resolve: { extensionAlias: { '.js': ['.ts'] } },
  transform: { target: 'node20.19' },
  output: {
    dir: OUT,
    format: 'esm',
    minify: true,
    comments: false,
    entryFileNames: '[name].js',
    // The library and the commands are a chunk each: names need not cross from one to another, and constants are put in their
    // place. What three entry points need is the library.
    codeSplitting: {
      groups: [
        { name: 'library', minShareCount: 3 },
        { name: 'cli', test: /src.cli/ },
      ],
    },
    chunkFileNames: `${CHUNKS}/[name]-[hash].js`,
  },
})

// Those of earlier builds go last: what runs meanwhile finds its own.
const written = new Set(output.map(({ fileName }) => fileName))
for (const name of await readdir(join(OUT, CHUNKS))) if (!written.has(`${CHUNKS}/${name}`)) await rm(join(OUT, CHUNKS, name))
