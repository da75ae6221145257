/** Writes what a run has shown as a table in Markdown, configurations by promises, for the README's section "Proven on". */

import { mkdirSync, writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

interface Result {
  configuration: string
  promise: string
  figures: string
  passed: boolean
}

const FILE = '.vitest/nfs-results.md'

export default class ResultsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const results: Result[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { proven } = test.meta() as { proven?: Omit<Result, 'passed'> }
        const { state } = test.result()
        if (proven !== undefined && (state === 'passed' || state === 'failed'))
          results.push({ ...proven, passed: state === 'passed' })
      }
    }
    if (results.length === 0) return
    mkdirSync('.vitest', { recursive: true })
    writeFileSync(FILE, render(results))
    console.log(`The table of results: ${FILE}`)
  }
}

/** One row for each promise, one column for each configuration; figures below, because they are long. */
export function render(results: readonly Result[]): string {
  const configurations = [...new Set(results.map(({ configuration }) => configuration))].sort()
  const promises = [...new Set(results.map(({ promise }) => promise))]
  const cell = (promise: string, configuration: string) => {
    const found = results.filter((result) => result.promise === promise && result.configuration === configuration)
    if (found.length === 0) return ''
    return found.every(({ passed }) => passed) ? 'yes' : '**no**'
  }
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const figures = promises.flatMap((promise) => {
    const told = results.filter((result) => result.promise === promise && result.passed && result.figures !== '')
    return told.length === 0
      ? []
      : [`* ${promise}: ${told.map((result) => `${result.configuration}: ${result.figures}`).join('; ')}`]
  })
  return [
    `Run on ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${process.env.MOUNTLOCK_SOAK ? 'full' : 'short'} figures.`,
    '',
    row(['', ...configurations]),
    row(['---', ...configurations.map(() => ':---:')]),
    ...promises.map((promise) => row([promise, ...configurations.map((configuration) => cell(promise, configuration))])),
    '',
    ...figures,
    '',
  ].join('\n')
}
