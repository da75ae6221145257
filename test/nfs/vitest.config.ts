import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The suite on real NFS: boots the lab once, and runs everything in it one after the other. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/nfs/**/*.test.ts'],
    globalSetup: ['test/nfs/setup.ts'],
    reporters: ['default', 'test/summary-reporter.ts', 'test/nfs/results-reporter.ts'],
    pool: 'forks',
    // One lab, two processors: tests at the same time would measure each other.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
