import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

/** What runs on this machine alone. */
const main: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    name: 'main',
    include: ['test/**/*.test.ts'],
    exclude: ['test/nfs/**'],
    // Process tests mostly wait for real clocks: a few at a time, so that each of them gets a processor when it needs one.
    maxWorkers: 4,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { groupOrder: 0 },
  },
}

/** What runs on real NFS, in a lab that is booted once: test/nfs/README.md. */
const nfs: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    name: 'nfs',
    include: ['test/nfs/**/*.test.ts'],
    globalSetup: ['test/nfs/setup.ts'],
    // One lab, two processors: tests at the same time would measure each other. So they come after all others, one by one.
    fileParallelism: false,
    sequence: { groupOrder: 1 },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
}

/** In CI, and where it was asked for (`npm run test:nfs`): the lab is too much for every run while one works. */
const withLab = process.env.MOUNTLOCK_CI !== undefined || process.env.MOUNTLOCK_LAB !== undefined

export default defineConfig({
  test: {
    projects: withLab ? [main, nfs] : [main],
    // The summary is the last line of a run.
    reporters: ['default', './test/nfs/results-reporter.ts', './test/summary-reporter.ts'],
    pool: 'forks',
    server: { deps: { external: [/\/(dist|build)\//] } },
  },
})
