/** Writes what a run has shown as tables in Markdown, configurations by promises, for docs/tested.md. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Reporter, TestModule, Vitest } from 'vitest/node'

export interface Result {
  configuration: string
  promise: string
  /** Lock type, version …, where a promise is shown for several. */
  variant: string
  figures: string
  passed: boolean
  extent: 'short' | 'full'
  /** YYYY-MM-DD */
  day: string
}

const FILE = '.vitest/nfs-results.md'
/** The same for programs, and for the next part of a run that is done in parts. */
const STORE = '.vitest/nfs-results.json'

export default class ResultsReporter implements Reporter {
  #vitest: Vitest | null = null

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const extent = process.env.MOUNTLOCK_SOAK === undefined ? 'short' : 'full'
    const day = new Date().toISOString().slice(0, 10)
    const results: Result[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { proven = [] } = test.meta() as { proven?: Omit<Result, 'passed' | 'extent' | 'day'>[] }
        const { state } = test.result()
        if (state === 'passed' || state === 'failed')
          results.push(...proven.map((result) => ({ ...result, passed: state === 'passed', extent, day }) as const))
      }
    }
    if (results.length === 0) return
    // Of the project that had tests to run.
    const lab = this.#vitest?.projects.map((project) => project.getProvidedContext().labVersions).find(Boolean)
    const isPart = process.env.MOUNTLOCK_LAB_PART !== undefined
    const all = isPart && existsSync(STORE) ? merged(JSON.parse(readFileSync(STORE, 'utf8')), results) : results
    mkdirSync('.vitest', { recursive: true })
    writeFileSync(STORE, JSON.stringify(all, null, 2))
    writeFileSync(FILE, render(all, lab ?? 'unknown versions'))
    console.log(`The table of results: ${FILE}`)
  }
}

/** What was shown again replaces what was known of it. */
export function merged(earlier: readonly Result[], later: readonly Result[]): Result[] {
  const subject = ({ configuration, promise, variant }: Result) => JSON.stringify([configuration, promise, variant])
  const again = new Set(later.map(subject))
  return [...earlier.filter((result) => !again.has(subject(result))), ...later]
}

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

/** They have a column of their own; what is shown elsewhere names its place. */
const COLUMNS = ['NFSv3', 'NFSv4.1', 'NFSv4.2', 'sshfs']
const ELSEWHERE = 'other mounts and exports'

/** What is measured, for comparison, is no promise: there are only figures. */
export const isCost = (promise: string) => promise.startsWith('calls per ')

/** Promises that are shown in the same places share a row; figures below, because they are long. */
export function render(results: readonly Result[], lab: string): string {
  const promises = [...new Set(results.map(({ promise }) => promise))]
  const shown = (found: readonly Result[]) => {
    const named = found.filter(({ variant }) => variant !== '')
    const variants = named.map(({ variant, passed }) => (passed ? variant : `**not** ${variant}`))
    return variants.join(', ') || (found.every(({ passed }) => passed) ? 'yes' : '**no**')
  }
  const cell = (promise: string, column: string) => {
    const found = results.filter((result) => result.promise === promise && result.configuration === column)
    return found.length === 0 ? '' : shown(found)
  }
  const elsewhere = (promise: string) => {
    const found = results.filter((result) => result.promise === promise && !COLUMNS.includes(result.configuration))
    const places = [...new Set(found.map(({ configuration }) => configuration))]
    return places.map((place) => `${place}: ${shown(found.filter(({ configuration }) => configuration === place))}`).join('; ')
  }
  const byCells = new Map<string, string[]>()
  for (const promise of promises.filter((promise) => !isCost(promise))) {
    const cells = row([...COLUMNS.map((column) => cell(promise, column)), elsewhere(promise)])
    byCells.set(cells, [...(byCells.get(cells) ?? []), promise])
  }
  const figures = promises.flatMap((promise) => {
    const told = results.filter((result) => result.promise === promise && result.passed && result.figures !== '')
    const inWords = ({ configuration, variant, figures }: Result) => `${configuration}${variant && `, ${variant}`}: ${figures}`
    return told.length === 0 ? [] : [`- ${promise}: ${told.map(inWords).join('; ')}`]
  })
  return [
    `${extentOf(results)}, Node ${process.version}. ${lab}.`,
    '',
    row(['', ...COLUMNS, ELSEWHERE]),
    row(['-', ...COLUMNS.map(() => '-'), '-']),
    ...[...byCells].map(([cells, promises]) => `| ${promises.join('<br>')} ${cells}`),
    '',
    ...figures,
    '',
  ].join('\n')
}

/** When, and with which figures. Of results of both kinds it says which ones are of the short run. */
function extentOf(results: readonly Result[]): string {
  const days = [...new Set(results.map(({ day }) => day))].sort()
  const when = days.length > 1 ? `${days[0]} to ${days.at(-1)}` : days[0]
  const short = results.filter(({ extent }) => extent === 'short')
  if (short.length === results.length) return `${when}, the short run`
  if (short.length === 0) return `${when}, the full run`
  const places = [...new Set(short.map(({ configuration }) => configuration))].map((place) => {
    const promises = short.filter(({ configuration }) => configuration === place).map(({ promise }) => promise)
    return `${place}: ${[...new Set(promises)].join(', ')}`
  })
  return `${when}, the full run (of the short run: ${places.join('; ')})`
}

/** What acquiring, waiting and handing over between nodes costs, out of the figures; which calls they are, only the figures say. */
export const costsOf = (figures: string) =>
  figures
    .split('\n')
    .filter((line) => line.startsWith('- calls per ') || line.startsWith('- hands over '))
    .map((line) => line.replaceAll(/ \([A-Z][^()]*\)/g, ''))
    .join('\n')
