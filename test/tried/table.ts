/** The tables of docs/file-systems.md. */

import { FILE_SYSTEMS } from '../../src/advice/file-systems.js'

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
