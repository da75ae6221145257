/** Keeps what a run of the lab has shown, for programs and as a page: `results-pages.ts` writes docs/tested.md and docs/lab.md from it. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { merged, page, type Result } from './results-pages.js'

const FILE = '.vitest/nfs-results.md'
/** The same for programs, and for the next part of a run that is done in parts. */
export const STORE = '.vitest/nfs-results.json'

export default class ResultsReporter implements Reporter {
  #vitest: Vitest | null = null

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const extent = process.env.MOUNTLOCK_SOAK === undefined ? 'short' : 'full'
    const day = new Date().toISOString().slice(0, 10)
    // Of the project that had tests to run.
    const lab = this.#vitest?.projects.map((project) => project.getProvidedContext().labVersions).find(Boolean)
    const versions = `Node ${process.version}; ${lab ?? 'unknown versions'}`
    const results: Result[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { proven = [] } = test.meta() as { proven?: Omit<Result, 'passed' | 'extent' | 'day' | 'versions'>[] }
        const { state } = test.result()
        if (state === 'passed' || state === 'failed')
          results.push(...proven.map((result) => ({ ...result, passed: state === 'passed', extent, day, versions }) as const))
      }
    }
    if (results.length === 0) return
    const isPart = process.env.MOUNTLOCK_LAB_PART !== undefined
    const all = isPart && existsSync(STORE) ? merged(JSON.parse(readFileSync(STORE, 'utf8')), results) : results
    mkdirSync('.vitest', { recursive: true })
    writeFileSync(STORE, JSON.stringify(all, null, 2))
    writeFileSync(FILE, page(all))
    console.log(`The table of results: ${FILE}`)
  }
}
