/**
 * Writes the API reference from the published declarations: docs/api/mountlock.md and docs/api/proper-lockfile.md. One chapter a
 * name: its words, its declaration, and a table of its members. (TypeDoc needs the compiler's own interface, which the TypeScript of
 * this project no longer has; the declarations are one file each already, so that little is left to do.)
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseSync } from 'rolldown/utils'

const PAGES = {
  'mountlock.md': { title: 'mountlock', declarations: 'dist/index.d.ts', note: '' },
  'proper-lockfile.md': {
    title: 'mountlock/proper-lockfile',
    declarations: 'dist/compat/proper-lockfile.d.ts',
    note: ' The default export, and what `require` gives, is the function `lock`, which has all six functions as its properties.',
  },
}
/** Members that only the language calls, and parts of the JavaScript that every error has. */
const PLAIN = /^(private )?constructor\b|^readonly name\b|^\[Symbol/
/** Order of the chapters: what is called, what comes back, what is thrown. */
const CHAPTERS = [
  ['Functions', /^(declare )?(function|const) /],
  ['Types', /^(interface|type) /],
  ['Errors', /^(declare )?class /],
]

/** A function may be declared several times, each time with words of its own. @typedef {{ code: string, comment: string }} Commented */
/** @typedef {{ name: string, isExported: boolean, declared: Commented[], code: string, members: Commented[] }} Entry */

/** Of a type that cannot be imported, and of which others are made. */
const PART_OF_OTHERS = 'It has no name for an import: other types here are made of it.'

/** @returns {Promise<Map<string, string>>} the pages, by file name */
export async function apiPages() {
  const pages = Object.entries(PAGES).map(async ([file, { title, declarations, note }]) => {
    const entries = entriesOf(declarations, await readFile(declarations, 'utf8'))
    return /** @type {const} */ ([file, pageOf(title, note, entries)])
  })
  return new Map(await Promise.all(pages))
}

/** @param {string} title @param {string} note @param {Entry[]} entries */
function pageOf(title, note, entries) {
  const names = new Set(entries.map(({ name }) => name))
  const parts = [
    `# ${title}`,
    `Written from the comments in the source by \`npm run docs\`. Times are in milliseconds, paths absolute or resolved.${note}`,
  ]
  for (const [chapter, kind] of CHAPTERS) {
    const some = entries.filter(({ code }) => /** @type {RegExp} */ (kind).test(code)).sort((a, b) => (a.name < b.name ? -1 : 1))
    if (some.length === 0) continue
    parts.push(`## ${chapter}`, some.map(({ name }) => `[${name}](#${name.toLowerCase()})`).join(' · '))
    for (const entry of some) parts.push(...chapterOf(entry, names))
  }
  return `${parts.join('\n\n')}\n`
}

/** @param {Entry} entry @param {Set<string>} names */
function chapterOf({ name, isExported, declared, code, members }, names) {
  const words = (/** @type {string} */ comment) => wordsOf(comment, names)
  const rows = members
    .filter((member) => !PLAIN.test(member.code))
    .map(
      (member) =>
        `| \`${member.code.replace(/;$/, '').replaceAll('|', '\\|')}\` | ${words(member.comment)
          .replace(/\s*\n\s*/g, '<br>')
          .replaceAll('|', '\\|')} |`,
    )
  return [
    `### ${name}`,
    ...declared.flatMap((each) => [
      isExported ? words(each.comment) : `${words(each.comment)} ${PART_OF_OTHERS}`,
      members.length === 0 || !/^(interface|declare class)/.test(code)
        ? `\`\`\`ts\n${each.code}\n\`\`\``
        : `\`${each.code.split(' {')[0]}\`${inheritance(each.code, names)}`,
    ]),
    ...(rows.length === 0 ? [] : [['| member | |', '| - | - |', ...rows].join('\n')]),
  ]
}

/** Where the other members are. @param {string} code @param {Set<string>} names */
function inheritance(code, names) {
  const [, parents = ''] = / extends ([^{]*)/.exec(code) ?? []
  const known = [...parents.matchAll(/\w+/g)].map(([name]) => name).filter((name) => names.has(name))
  const links = [...new Set(known)].map((name) => `[${name}](#${name.toLowerCase()})`)
  return links.length === 0 ? '' : `, with all that ${links.join(' and ')} has`
}

/** Comment to Markdown. @param {string} comment @param {Set<string>} names */
function wordsOf(comment, names) {
  return comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^\s*\* ?/gm, '')
    .replace(/\{@link (\w+)(\.\w+)?\}/g, (_, name, member = '') =>
      names.has(name) ? `[\`${name}${member}\`](#${name.toLowerCase()})` : `\`${name}${member}\``,
    )
    .replace(/\n(?!@|\n)/g, ' ')
    .replace(/\s*@default /g, '\n\n**Default:** ')
    .replace(/\s*@throws /g, '\n\n**Throws:** ')
    .replace(/\s*@returns /g, '\n\n**Returns:** ')
    .replace(/\s*@param (\w+) /g, '\n\n`$1`: ')
    .trim()
}

/** @param {string} file @param {string} text @returns {Entry[]} */
function entriesOf(file, text) {
  const { program, comments } = parseSync(file, text)
  const commentBefore = (/** @type {number} */ start) => {
    const before = comments.filter(({ type, end }) => type === 'Block' && end <= start).at(-1)
    return before !== undefined && text.slice(before.end, start).trim() === '' ? text.slice(before.start, before.end) : ''
  }
  /** @type {Map<string, Entry>} */
  const entries = new Map()
  for (const statement of program.body) {
    const isExported = statement.type === 'ExportNamedDeclaration'
    const declaration = isExported ? statement.declaration : statement
    if (!declaration || (!isExported && !/^TS(Interface|TypeAlias)/.test(declaration.type))) continue
    const code = text.slice(declaration.start, declaration.end)
    const name = /(?:function|const|interface|type|class) (\w+)/.exec(code)?.[1] ?? ''
    const isListed = declaration.type === 'TSInterfaceDeclaration' || declaration.type === 'ClassDeclaration'
    const members = (isListed ? declaration.body.body : []).map((member) => ({
      code: text.slice(member.start, member.end).replace(/\s*\n\s*/g, ' '),
      comment: commentBefore(member.start),
    }))
    const earlier = entries.get(name)
    const comment = commentBefore(statement.start)
    if (earlier === undefined) entries.set(name, { name, isExported, declared: [{ code, comment }], code, members })
    else earlier.declared.push({ code, comment })
  }
  return [...entries.values()]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await mkdir('docs/api', { recursive: true })
  for (const [file, page] of await apiPages()) await writeFile(join('docs/api', file), page)
}
