/** Ends the output of a run with one plain line, and in CI, where everything is at hand, turns skipped tests into a failure. */

import type { Reporter, TestModule } from 'vitest/node'

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0, pending: 0 }
    const skipped: string[] = []
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed++ // a file that could not even be collected
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        counts[state]++
        if (state === 'skipped') skipped.push(`${module.relativeModuleId}: ${test.fullName}`)
      }
    }
    if (process.env.MOUNTLOCK_CI !== undefined && skipped.length > 0) {
      console.error(`\nSkipped, although everything is at hand:\n  ${skipped.join('\n  ')}`)
      counts.failed += skipped.length
      process.exitCode = 1
    }
    console.log(`\n${counts.passed} passed, ${counts.failed} failed`)
  }
}
