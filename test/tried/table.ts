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

/** What was tried, with the kinds of lock; what failed says so. */
function summary(results: readonly Result[]): string {
  const whats = [...new Set(results.map(({ what }) => what))]
  return whats
    .map((what) => {
      const its = results.filter((each) => each.what === what)
      const kinds = its.filter(({ kind }) => kind !== '').map(({ kind, passed }) => (passed ? kind : `**not** ${kind}`))
      const failed = kinds.length === 0 && its.some(({ passed }) => !passed) ? '**failed**: ' : ''
      return `${failed}${what}${kinds.length === 0 ? '' : ` (${[...new Set(kinds)].join(', ')})`}`
    })
    .join('<br>')
}

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
