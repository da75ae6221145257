import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

const CONTENTION = 'test/nfs/exclusion.test.ts'
const FULL = 'test/nfs/full/**/*.test.ts'

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

/** What runs on real NFS, in labs that are booted once, one for each worker: test/nfs/README.md. It mostly waits: for outages and time-outs. */
const nfs: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    name: 'nfs',
    include: ['test/nfs/**/*.test.ts'],
    exclude: [CONTENTION, FULL],
    globalSetup: ['test/nfs/setup.ts'],
    maxWorkers: 2,
    sequence: { groupOrder: 1 },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
}

/** Tests that keep the processors of several nodes busy at once have the machine to themselves. */
const nfsContention: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    name: 'nfs-contention',
    include: [CONTENTION],
    globalSetup: ['test/nfs/setup.ts'],
    maxWorkers: 1,
    sequence: { groupOrder: 2 },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
}

/** Servers that need machines of their own and minutes: in the full run only. */
const nfsFull: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    name: 'nfs-full',
    include: [FULL],
    globalSetup: ['test/nfs/setup.ts'],
    maxWorkers: 1,
    sequence: { groupOrder: 3 },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
}

/** In CI, and where it was asked for (`npm run test:nfs`): the lab is too much for every run while one works. */
const withLab = process.env.MOUNTLOCK_CI !== undefined || process.env.MOUNTLOCK_LAB !== undefined

const isFull = process.env.MOUNTLOCK_SOAK !== undefined

export default defineConfig({
  test: {
    projects: [main, ...(withLab ? [nfs, nfsContention] : []), ...(withLab && isFull ? [nfsFull] : [])],
    // The summary is the last line of a run.
    reporters: ['default', './test/nfs/results-reporter.ts', './test/tried/reporter.ts', './test/summary-reporter.ts'],
    pool: 'forks',
    server: { deps: { external: [/\/(dist|build)\//] } },
  },
})
