/**
 * What runs of the lab have shown, as tables in Markdown: one promise a row in docs/tested.md, one figure a row in docs/lab.md. A
 * result that an earlier run has shown, and the last one has not, stays on the page with the mark of its run.
 */

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
  /** Of Node, the kernels and the server. */
  versions: string
}

/** What was shown again replaces what was known of it. */
export function merged(earlier: readonly Result[], later: readonly Result[]): Result[] {
  const subject = ({ configuration, promise, variant }: Result) => JSON.stringify([configuration, promise, variant])
  const again = new Set(later.map(subject))
  return [...later, ...earlier.filter((result) => !again.has(subject(result)))]
}

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(head), row(head.map(() => '-')), ...rows.map(row)].join('\n')
const distinct = <Value>(values: readonly Value[]): Value[] => [...new Set(values)]

/** They have a column of their own; what is shown elsewhere names its place. */
const COLUMNS = ['NFSv3', 'NFSv4.1', 'NFSv4.2', 'sshfs']
const ELSEWHERE = 'other mounts and exports'

/** What is only measured, or shown for comparison, is no promise: there are figures of it. */
export const isCost = (promise: string) => promise.startsWith('calls per ') || promise.endsWith(', for comparison')

/** Figures of these are what acquiring, waiting and handing over between nodes costs. */
const isCostOrWait = (promise: string) => /^(calls per|hands over|waits with) /.test(promise)

/** All of it, as a run leaves it behind. */
export const page = (results: readonly Result[]): string =>
  [runsText(results), promisesTable(results), figuresText(results), ''].join('\n\n')

const runOf = ({ extent, versions }: Result) => JSON.stringify([extent, versions])

/** The run of the last day first. */
function runsOf(results: readonly Result[]): { run: string; days: string[]; first: Result }[] {
  const runs = distinct(results.map(runOf)).map((run) => {
    const its = results.filter((result) => runOf(result) === run)
    return { run, days: distinct(its.map(({ day }) => day)).sort(), first: its[0] as Result }
  })
  return runs.sort((a, b) => (b.days.at(-1) as string).localeCompare(a.days.at(-1) as string))
}

const MARKS = ['', '²', '³', '⁴', '⁵']

/** The mark of what the last run has not shown. */
function marksOf(results: readonly Result[]): (result: Result) => string {
  const marks = new Map(runsOf(results).map(({ run }, index) => [run, MARKS[index] ?? `(${index + 1})`]))
  return (result) => marks.get(runOf(result)) ?? ''
}

/** Which run it was, of which day and with what; a line for each run. */
export function runsText(results: readonly Result[]): string {
  const lines = runsOf(results).map(({ days, first: { extent, versions } }, index) => {
    const when = days.length > 1 ? `${days[0]} to ${days.at(-1)}` : days[0]
    const mark = index === 0 ? '' : `${MARKS[index] ?? `(${index + 1})`} Not shown by a later run: `
    return `${mark}${when}, the ${extent} run. ${versions}.`
  })
  return lines.join('<br>\n')
}

/** A row for each promise, a cell for each place where it was shown. */
export function promisesTable(results: readonly Result[]): string {
  const markOf = marksOf(results)
  const shown = (found: readonly Result[]) => {
    const texts = found.map((result) => {
      const { variant, passed } = result
      const text = variant === '' ? (passed ? 'yes' : '**no**') : passed ? variant : `**not** ${variant}`
      return `${text}${markOf(result)}`
    })
    return distinct(texts).join(', ')
  }
  const elsewhere = (found: readonly Result[]) => {
    const others = found.filter(({ configuration }) => !COLUMNS.includes(configuration))
    const places = distinct(others.map(({ configuration }) => configuration))
    return places.map((place) => `${place}: ${shown(others.filter(({ configuration }) => configuration === place))}`).join('; ')
  }
  const promises = distinct(results.map(({ promise }) => promise)).filter((promise) => !isCost(promise))
  const rows = promises.map((promise) => {
    const found = results.filter((result) => result.promise === promise)
    const cells = COLUMNS.map((column) => shown(found.filter(({ configuration }) => configuration === column)))
    return [promise, ...cells, elsewhere(found)]
  })
  return table(['', ...COLUMNS, ELSEWHERE], rows)
}

/** Every figure that a promise comes with, under the promise; those of failures are not told. */
export function figuresText(results: readonly Result[]): string {
  const told = results.filter(({ passed, figures }) => passed && figures !== '')
  const markOf = marksOf(results)
  return distinct(told.map(({ promise }) => promise))
    .map((promise) => {
      const rows = told
        .filter((result) => result.promise === promise)
        .map((result) => [`${result.configuration}${markOf(result)}`, result.variant, result.figures])
      return `### ${promise}\n\n${table(['where', 'with', 'figures'], rows)}`
    })
    .join('\n\n')
}

/** What acquiring, waiting and handing over between nodes costs, out of the figures; which calls they are, only the figures say. */
export function costsTable(results: readonly Result[]): string {
  const told = results.filter(({ promise, passed, figures }) => isCostOrWait(promise) && passed && figures !== '')
  const markOf = marksOf(results)
  const places = distinct(told.map(({ configuration }) => configuration))
  const nameOf = ({ promise, variant }: Result) => `${promise}${variant && `, ${variant}`}`
  const promises = distinct(told.map(({ promise }) => promise))
  const names = promises.flatMap((promise) => distinct(told.filter((result) => result.promise === promise).map(nameOf)))
  const rows = names.map((name) => {
    const cells = places.map((place) => {
      const found = told.filter((result) => nameOf(result) === name && result.configuration === place)
      return found.map((result) => `${result.figures.replaceAll(/ \([A-Z][^()]*\)/g, '')}${markOf(result)}`).join('; ')
    })
    return [name, ...cells]
  })
  return table(['', ...places], rows)
}
