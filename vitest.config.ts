import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The lab of NFS servers and clients has a run of its own.
    exclude: ['test/nfs/**'],
    reporters: ['default', './test/summary-reporter.ts'],
    pool: 'forks',
    // Process tests wait for real clocks: few at a time, so that each of them gets a processor when it needs one.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//] } },
  },
})
