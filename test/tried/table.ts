/** The tables of docs/file-systems.md. */

import { FILE_SYSTEMS } from '../../src/advice/file-systems.js'
import type { Result } from './results.js'

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

export function knownTable(): string {
  const head = ['file system', 'links', 'advisory locks', 'caches', 'from']
  return [
    row(head),
    row(head.map(() => '-')),
    ...FILE_SYSTEMS.map(({ title, links, advisory, caches, source }) =>
      row([`[${title}](#${anchor(title)})`, links, advisory, caches, source]),
    ),
  ].join('\n')
}

/** A row for each file system; one without a result file says that it was not tried. */
export function triedTable(results: readonly Result[]): string {
  const head = ['file system', 'tried here', 'with a stand-in', 'by which run', 'on which day, with which kernel']
  const rows = FILE_SYSTEMS.map(({ id, title }) => {
    const its = results.filter(({ fileSystem }) => fileSystem === id)
    if (its.length === 0) return row([title, 'not tried', '', '', ''])
    const of = (how: Result['how']) => summary(its.filter((each) => each.how === how))
    const [runs, when] = [its.map(({ run }) => `\`${run}\``), its.map(({ day, kernel }) => `${day}, ${kernel}`)]
    return row([title, of('real') || 'not tried', of('stand-in'), unique(runs), unique(when)])
  })
  return [row(head), row(head.map(() => '-')), ...rows].join('\n')
}

const unique = (texts: readonly string[]) => [...new Set(texts)].sort().join('<br>')

/** What was tried, with the kinds of lock, on each mount; what failed says so. */
function summary(results: readonly Result[]): string {
  return unsorted(results.map(({ what }) => what))
    .map((what) => {
      const its = results.filter((each) => each.what === what)
      const places = unsorted(its.map(({ place = '' }) => place))
      const shown = places.map((place) =>
        onPlace(
          place,
          its.filter((each) => (each.place ?? '') === place),
        ),
      )
      const isFailed = its.some(({ kind, passed }) => kind === '' && !passed)
      return `${isFailed ? '**failed**: ' : ''}${what}${shown.some(Boolean) ? ` (${shown.filter(Boolean).join('; ')})` : ''}`
    })
    .join('<br>')
}

function onPlace(place: string, results: readonly Result[]): string {
  const named = results.filter(({ kind }) => kind !== '')
  const kinds = unsorted(named.map(({ kind, passed }) => (passed ? kind : `**not** ${kind}`))).join(', ')
  return [place, kinds].filter(Boolean).join(': ')
}

const unsorted = (texts: readonly string[]) => [...new Set(texts)]

const anchor = (title: string) =>
  title
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

const marks = (name: string) => [`<!-- ${name} -->`, `<!-- /${name} -->`] as const

/** What stands between the marks of that name. */
export function region(page: string, name: string): string {
  const [begin, end] = marks(name)
  return page.slice(page.indexOf(begin) + begin.length, page.indexOf(end)).trim()
}

export function withRegion(page: string, name: string, content: string): string {
  const [begin, end] = marks(name)
  return `${page.slice(0, page.indexOf(begin) + begin.length)}\n\n${content}\n\n${page.slice(page.indexOf(end))}`
}
